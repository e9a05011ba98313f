"""Measure the whole daemon on a real sound server: `python tests/bench_daemon.py`.

Time to ready, CPU and memory while it listens, and how long after the end of a spoken word a
subscriber has the event. The end is taken from a second recording of the same microphone.
"""

import itertools
import os
import statistics
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.daemon import Daemon, recording, until
from support.soundserver import PulseServer
from support.witness import Witness

from wakeword_daemon.events.client import subscribe

STARTS = 5
LISTEN = 20
WORDS = 10


def memory(process):
    """Return the lines of /proc/PID/status and smaps_rollup that tell memory, in MiB."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    lines += Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    fields = (line.split() for line in lines if line.endswith(" kB"))
    return {name.rstrip(":"): int(size) / 1024 for name, size, _ in fields}


def cpu(process):
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start(room):
    before = time.monotonic()
    with Daemon(settings=room.env()) as daemon:
        daemon.told("READY")
        return time.monotonic() - before


def latency(room, daemon, path):
    """Speak the word once; return the seconds from its end to the subscriber, None if missed."""
    received = []
    heard = subscribe(daemon.socket, timeout=4)
    wait = threading.Thread(target=lambda: next(heard, None) and received.append(time.time()))
    wait.start()
    witness = Witness(room)
    room.play(path)
    wait.join()
    end = witness.end_of_speech()
    return received[0] - end if received else None


def main():
    with PulseServer() as room:
        room.hum()
        starts = sorted(start(room) for _ in range(STARTS))
        median = statistics.median(starts)
        print(f"time to ready   {median:.2f} s (of {STARTS}, up to {starts[-1]:.2f})")
        with Daemon(settings=room.env()) as daemon:
            daemon.told("READY")
            time.sleep(2)
            before = cpu(daemon.process)
            time.sleep(LISTEN)
            used = (cpu(daemon.process) - before) / LISTEN
            now = memory(daemon.process)
            print(f"CPU             {used * 1e3:.1f} ms a second, with PulseAudio's client")
            print(
                f"memory          {now['VmRSS']:.1f} MiB resident, peak {now['VmHWM']:.1f},"
                f" {now['Pss']:.1f} with shared pages shared out"
            )
            words = daemon.root / "word.wav"
            found = []
            for word, number in itertools.product(("jarvis-slt", "jarvis-rms"), range(WORDS // 2)):
                # The word begins elsewhere within a step each time.
                recording(words, 0.3 + 0.017 * number, word, 0.5)
                found.append(latency(room, daemon, words))
            until(lambda: not daemon.status()["subscribers"][1:], "the end of the subscriptions")
            took = sorted(one for one in found if one is not None)
            middle, least, most = (
                one * 1e3 for one in (statistics.median(took), took[0], took[-1])
            )
            print(
                f"latency         {middle:.0f} ms from the end of the word to the subscriber"
                f" ({least:.0f} to {most:.0f}, {len(took)} of {len(found)} words heard)"
            )


if __name__ == "__main__":
    main()
