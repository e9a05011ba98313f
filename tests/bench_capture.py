"""Measure the capture thread on real sound servers: `python tests/bench_capture.py [ROUNDS]`.

CPU per second of audio beside a bare blocking read, how long after its end a block of 80 ms is at
hand, and for each fault how long until it is noticed and until audio is there after its end.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import pytest
from support.ear import Ear
from support.soundserver import PipeWireServer, PulseServer

from wakeword_daemon.audio import devices
from wakeword_daemon.clock import HOP, SAMPLE_RATE

LISTEN = 20


def blocking_read():
    """Return the CPU, in ms, that a second of audio costs the plainest program there is."""
    stream = devices.portaudio().RawInputStream(SAMPLE_RATE, HOP, None, 1, "int16")
    stream.start()
    stream.read(HOP)
    begin = time.process_time()
    for _ in range(LISTEN * SAMPLE_RATE // HOP):
        stream.read(HOP)
    cost = time.process_time() - begin
    stream.close()
    return 1_000 * cost / LISTEN


def capture():
    """Return the CPU of the whole capture thread, and the ages of blocks when they are at hand."""
    ages = []
    with Ear() as ear:
        ear.wait_for("listening")
        begin = time.process_time()
        time.sleep(LISTEN)
        cost = time.process_time() - begin
        reader = ear.ring.reader()
        for _ in range(10 * SAMPLE_RATE // HOP):
            block = reader.read(HOP, 5)
            end = block.start + len(block.pcm)
            ages.append(1_000 * (time.time() - ear.ring.wall_time(end)))
    return 1_000 * cost / LISTEN, ages


def kill(server):
    server.kill()
    return server.start


def hang(server):
    server.stop_hang()
    return server.resume


def unplug(server):
    server.unplug()
    return server.plug


def mute(server):
    server.pactl("set-source-mute", "mic", "1")
    return lambda: server.pactl("set-source-mute", "mic", "0")


def fault(server, ear, break_):
    """Return the seconds until a fault was noticed, and from its end until there was sound."""
    ear.wait_for("listening")
    time.sleep(3.5)
    begin = time.monotonic()
    mend = break_(server)
    ear.wait_until(lambda: ear.capture.state.name != "listening")
    noticed = time.monotonic() - begin
    time.sleep(1 + noticed % 0.7)  # at no particular moment of the back-off
    mend()
    heard, end = ear.ring.heard, time.monotonic()
    if break_ is not mute and break_ is not hang:
        server.hum()
    ear.wait_until(lambda: ear.ring.heard > heard and ear.capture.state.name == "listening")
    return noticed, time.monotonic() - end


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    for kind in (PulseServer, PipeWireServer):
        with pytest.MonkeyPatch.context() as monkeypatch, kind() as server:
            server.adopt(monkeypatch)
            server.hum()
            devices.refresh()
            print(kind.__name__)
            print(f"  CPU of a blocking read       {blocking_read():6.2f} ms per second of audio")
            cost, ages = capture()
            print(f"  CPU of capture, ring and all {cost:6.2f} ms per second of audio")
            ages.sort()
            median = ages[len(ages) // 2]
            print(f"  age of a block at hand       {median:6.1f} ms, at most {ages[-1]:.1f}")
            for break_ in (kill, hang, unplug, mute):
                with Ear() as ear:
                    times = [fault(server, ear, break_) for _ in range(rounds)]
                noticed, back = (max(column) for column in zip(*times, strict=True))
                print(
                    f"  {rounds} times {break_.__name__:6}: noticed after at most {noticed:.2f} s,"
                    f" sound again at most {back:.2f} s after its end"
                )


if __name__ == "__main__":
    main()
