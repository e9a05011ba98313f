"""Measure the whole daemon on real sound servers: `python tests/bench_daemon.py [--write]`.

It measures CPU time and wake-ups a second in a quiet room, in speech and in noise; memory; the time
until the daemon is ready; and how long after the end of a spoken word a subscriber has the event.
With `--write`, the tables and the figure of docs/cost.md are replaced.

The conditions take turns, and the cheapest round of each counts: other programs can slow a round
down, but not speed it up. The end of a word is taken from a second recording of the same
microphone.
"""

import contextlib
import os
import statistics
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import soundfile  # noqa: E402
from support import page, room  # noqa: E402
from support.daemon import WAKEWORD, Daemon  # noqa: E402
from support.soundserver import PipeWireServer, PulseServer  # noqa: E402
from support.witness import Witness  # noqa: E402

from wakeword_daemon.clock import SAMPLE_RATE  # noqa: E402
from wakeword_daemon.events.client import subscribe  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "5"))
STARTS = 5
WORDS = int(os.environ.get("WORDS", "40"))
LISTEN = 5.0
"""Seconds of one round."""
SETTLE = 4.0
"""Seconds after which a daemon has adapted to another condition."""
CONDITIONS = ("quiet", "speech", "noise")
PATIENCE = 2.0
"""Seconds after a word within which its event is expected."""
SIX_WORDS = """\
words: {alexa: {}, computer: {}, jarvis: {}, smart mirror: {}, snowboy: {}, view glass: {}}
"""
PAGE = ROOT / "docs" / "cost.md"
FIGURE = ROOT / "docs" / "cost.svg"

# The step in C cannot be imported, so the one in numpy runs.
_WITHOUT_C = (
    "import runpy, sys; sys.modules['wakeword_daemon.engine._step'] = None;"
    " runpy.run_module('wakeword_daemon', run_name='__main__', alter_sys=True)"
)
_NUMPY = (sys.executable, "-c", _WITHOUT_C)


@dataclass
class Listener:
    """A daemon under measurement.

    Attributes:
        name: what the tables call it.
        server: whose microphone it listens to.
        settings: added to its environment.
        command: what runs.
        arguments: of its command line.
        cpu: milliseconds of CPU time a second, by condition and round.
        wakes: times a second that one of its threads was woken, by condition and round.
        ready: seconds from each start until it was ready.
        effort: seconds of CPU time until then.
        memory: MiB by kind.
        late: for each word the seconds from its end to the subscriber, and from its end to the
            sample at which the network was sure; None for a missed one, by what was heard before.

    """

    name: str
    server: PulseServer
    settings: dict = field(default_factory=dict)
    command: tuple = WAKEWORD
    arguments: tuple = ()
    cpu: dict = field(default_factory=lambda: {condition: [] for condition in CONDITIONS})
    wakes: dict = field(default_factory=lambda: {condition: [] for condition in CONDITIONS})
    ready: list = field(default_factory=list)
    effort: list = field(default_factory=list)
    memory: dict = field(default_factory=dict)
    late: dict = field(default_factory=lambda: {before: [] for before in room.BEFORE_A_WORD})

    @property
    def all_late(self):
        return [word for words in self.late.values() for word in words]

    def daemon(self):
        settings = self.server.env() | self.settings
        return Daemon(*self.arguments, settings=settings, command=self.command)


def progress(text):
    print(text, file=sys.stderr, flush=True)


def cpu_seconds(pid):
    """Return the CPU time of a process, of all its threads, to the nanosecond."""
    return time.clock_gettime((~pid << 3) | 2)  # the clock id of clock_getcpuclockid(3)


def wake_ups(pid):
    """Return how often threads of the process waited for something so far."""
    count = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):
            lines = (task / "status").read_text().splitlines()
            count += sum(int(line.split()[1]) for line in lines if line.startswith("voluntary"))
    return count


def memory(pid):
    """Return the memory figures of /proc/PID/smaps_rollup, in MiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    fields = (line.split() for line in lines if line.endswith(" kB"))
    return {name.rstrip(":"): int(size) / 1024 for name, size, _ in fields}


def measure_starts(listeners):
    """Note how long each takes until it is ready, and how much CPU that takes."""
    for number in range(STARTS):
        progress(f"start {number + 1} of {STARTS}")
        for listener in listeners:
            before = time.monotonic()
            with listener.daemon() as daemon:
                daemon.notified("READY")
                listener.ready.append(time.monotonic() - before)
                listener.effort.append(cpu_seconds(daemon.process.pid))


def measure_cpu(listeners, daemons, folder):
    """Measure under each condition in turn; all daemons are measured in the same seconds."""
    servers = {id(listener.server): listener.server for listener in listeners}.values()
    sounds = {"speech": room.speech, "noise": room.noise}
    for name, make in sounds.items():
        soundfile.write(folder / f"{name}.wav", make(SETTLE + LISTEN + 2), SAMPLE_RATE)
    for number in range(ROUNDS):
        progress(f"round {number + 1} of {ROUNDS}")
        for condition in CONDITIONS:
            if condition in sounds:
                for server in servers:
                    server.play(folder / f"{condition}.wav", wait=False)
            time.sleep(SETTLE)
            begin = time.monotonic()
            before = [(cpu_seconds(d.process.pid), wake_ups(d.process.pid)) for d in daemons]
            time.sleep(LISTEN)
            took = time.monotonic() - begin
            for listener, daemon, (cpu, wakes) in zip(listeners, daemons, before, strict=True):
                pid = daemon.process.pid
                listener.cpu[condition].append(1e3 * (cpu_seconds(pid) - cpu) / took)
                listener.wakes[condition].append((wake_ups(pid) - wakes) / took)
            time.sleep(2)


def measure_latency(listeners, daemons, folder):
    """Speak words at random times; note when each subscriber has the event."""
    pcm, words = room.spoken_words(WORDS)
    progress(f"{WORDS} words in {len(pcm) / SAMPLE_RATE:.0f} s")
    soundfile.write(folder / "words.wav", pcm, SAMPLE_RATE)
    received = [[] for _ in listeners]

    def follow(daemon, times):
        for event in subscribe(daemon.socket, timeout=len(pcm) / SAMPLE_RATE + 2 * PATIENCE):
            times.append((time.time(), event.wall_time))

    threads = [
        threading.Thread(target=follow, args=pair) for pair in zip(daemons, received, strict=True)
    ]
    for thread in threads:
        thread.start()
    witnesses = {id(one.server): (Witness(one.server), one.server) for one in listeners}
    players = [server.play(folder / "words.wav", wait=False) for _, server in witnesses.values()]
    for player in players:
        player.wait()
    for thread in threads:
        thread.join()
    begins = {key: witness.begin_of(pcm) for key, (witness, _) in witnesses.items()}
    for listener, times in zip(listeners, received, strict=True):
        for word in words:
            end = begins[id(listener.server)] + word.end / SAMPLE_RATE
            late = ((at - end, sure - end) for at, sure in times if -0.5 < sure - end < PATIENCE)
            listener.late[word.before].append(next(late, None))


def delays(words):
    """Return the table cells for the latency, and for how many words were detected."""
    found = [word for word in words if word is not None]
    share = f"{len(found)} of {len(words)}"
    if not found:
        return "-", "-", "-", "-", share
    late, sure = 1e3 * np.array(found).T
    of_network = np.percentile(sure, (50, 95))
    return (*(f"{value:.0f}" for value in (*np.percentile(late, (50, 95)), *of_network)), share)


def tables(listeners):
    """Return the lines of the report."""
    costs = [
        (
            listener.name,
            *(f"{min(listener.cpu[one]):.1f}" for one in CONDITIONS),
            *(f"{min(listener.wakes[one]):.0f}" for one in CONDITIONS),
        )
        for listener in listeners
    ]
    sizes = [
        (
            listener.name,
            *(f"{listener.memory[kind]:.1f}" for kind in ("Anonymous", "Pss", "Rss")),
            f"{min(listener.ready):.2f}",
            f"{statistics.median(listener.ready):.2f}",
            f"{min(listener.effort):.2f}",
        )
        for listener in listeners
    ]
    waits = [
        (f"{listener.name}, after {before}", *delays(listener.late[before]))
        for listener in listeners
        for before in room.BEFORE_A_WORD
    ] + [(f"{listener.name}, all", *delays(listener.all_late)) for listener in listeners]
    return [
        "",
        "CPU time in ms a second and wake-ups a second, of all threads, including the sound",
        f"server's client; the lowest of {ROUNDS} rounds of {LISTEN:.0f} s. {page.load()}",
        "",
        *page.table(
            ("daemon", *CONDITIONS, *(f"wake-ups, {one}" for one in CONDITIONS)),
            costs,
        ),
        "",
        f"Memory in MiB while it listens; for {STARTS} starts, the seconds until it is ready and",
        "the CPU time until then:",
        "",
        *page.table(
            (
                "daemon",
                *("anonymous", "proportional (PSS)", "resident"),
                *("ready, lowest", "ready, median", "CPU, lowest"),
            ),
            sizes,
        ),
        "",
        "Milliseconds from the end of a word until the subscriber has the event, for",
        f"{WORDS} words at random times, and how many of them pass before the network is sure:",
        "",
        *page.table(
            ("daemon", "median", "95 %", "the network, median", "the network, 95 %", "heard"), waits
        ),
        "",
    ]


def draw(listeners):
    """Draw CPU and latency."""
    from matplotlib import rc_context  # noqa: PLC0415 -- after everything is measured
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(10, 3.6), layout="constrained")
    costs, latency = figure.subplots(1, 2)
    places = np.arange(len(CONDITIONS))
    width = 0.8 / len(listeners)
    for number, listener in enumerate(listeners):
        heights = [min(listener.cpu[one]) for one in CONDITIONS]
        bars = costs.bar(places + number * width, heights, width * 0.9, label=listener.name)
        costs.bar_label(bars, fmt="%.1f", fontsize=8)
        late = sorted(1e3 * one[0] for one in listener.all_late if one is not None)
        share = 100 * np.arange(1, len(late) + 1) / len(late)
        latency.step(late, share, where="post", label=listener.name)
    costs.set_xticks(places + 0.4 - width / 2, CONDITIONS)
    costs.set(ylabel="CPU, ms a second", title="Cost of listening")
    latency.set(xlabel="ms after the end of the word", ylabel="% of words", title="Latency")
    latency.grid(alpha=0.3)
    for axes in (costs, latency):
        axes.legend(fontsize=8)
    with rc_context({"svg.hashsalt": "wakeword", "svg.fonttype": "none"}):
        figure.savefig(FIGURE, format="svg", metadata={"Date": None})


def main(*, write):
    with contextlib.ExitStack() as stack:
        pulse = stack.enter_context(PulseServer())
        pipewire = stack.enter_context(PipeWireServer())
        for server in (pulse, pipewire):
            server.hum()
        awake = pulse.root / "awake.yaml"
        awake.write_text("audio: {naps: false}\n")
        six = pulse.root / "six.yaml"
        six.write_text(SIX_WORDS)
        by_name = pulse.root / "by_name.yaml"
        by_name.write_text("audio: {device: default}\n")
        through_portaudio = ("--config", str(by_name))
        stock = {"ALSA_CONFIG_PATH": "/usr/share/alsa/alsa.conf"}  # Debian's
        listeners = [
            Listener("PulseAudio", pulse),
            Listener("PulseAudio, without naps", pulse, arguments=("--config", str(awake))),
            Listener("PulseAudio, 6 words", pulse, arguments=("--config", str(six))),
            Listener("PipeWire", pipewire),
            Listener("PulseAudio, step in numpy", pulse, command=_NUMPY),
            Listener("PulseAudio, through PortAudio", pulse, stock, arguments=through_portaudio),
        ]
        measure_starts(listeners)
        daemons = [stack.enter_context(listener.daemon()) for listener in listeners]
        for daemon in daemons:
            assert daemon.notified("READY").startswith("listening"), daemon.log
        measure_cpu(listeners, daemons, pulse.root)
        measure_latency(listeners, daemons, pulse.root)
        for listener, daemon in zip(listeners, daemons, strict=True):
            listener.memory = memory(daemon.process.pid)
            if lost := daemon.status()["lost"]:
                progress(f"{listener.name} missed {lost / SAMPLE_RATE:.1f} s: a busy machine")
    lines = tables(listeners)
    print("\n".join(lines))
    if write:
        page.write(PAGE, "daemon", lines)
        draw(listeners)


if __name__ == "__main__":
    main(write=page.command(__doc__).parse_args().write)
