"""Measure how many rooms one core serves: `python tests/bench_rooms.py [--write] [ROOMS…]`.

Each room sends 80 ms of audio every 80 ms over a unix socket to a service on one core; the senders
run on the other cores. After every tenth chunk a room asks for an answer, which the service sends
when it has taken the chunk. The time until then is the added latency. The service keeps up if 99 %
of the answers take less than one hop of 80 ms; where it does not, the better of two measurements
counts, because the machine may have paused. Four things are measured:

- `wakeword serve`, for one word;
- the same service with a detector that does nothing: what the protocol costs;
- wyoming-openwakeword, where `make bench-rooms` could install it;
- openWakeWord's engine in a loop, without any service, where it is installed.

With `--write` the tables in docs/home-assistant.md are made anew.
"""

import json
import os
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from support import page  # noqa: E402 -- the path above finds the package of this checkout
from support.clients import environment_of  # noqa: E402
from support.daemon import WAKEWORD  # noqa: E402

PAGE = ROOT / "docs/home-assistant.md"
HOP = 0.08
SECONDS = 5.0
WARM_UP = 2.0
ASK_EVERY = 10
COUNTS = (1, 10, 100, 1000, 2000, 2500, 3000, 3500, 4000)
FULL = 0.97
"""Share of its core above which a service that answers at once, and hears later, is taken to fall
behind."""
PATIENCE = 60.0

# Nothing but the protocol: what is between the socket and the detector.
NO_ENGINE = """
from wakeword_daemon.engine import Detector
def push(self, pcm):
    self.clock += len(pcm)
    return []
Detector.push = push
import sys
from wakeword_daemon.cli import main
sys.exit(main(sys.argv[1:]))
"""


@dataclass(frozen=True)
class Service:
    """A wake service to measure."""

    name: str
    command: tuple
    """Without the address, which is added."""
    word: str
    question: bytes = b'{"type":"ping"}\n'
    """Is answered after all that came before it."""
    hears_later: bool = False
    """Whether the question is answered before the audio ahead of it is heard."""


def services():
    """Yield the services that are installed here."""
    ours = ("serve", "--word", "jarvis")
    yield Service("wakeword", (*WAKEWORD, *ours), "jarvis")
    idle = (sys.executable, "-c", NO_ENGINE, *ours)
    yield Service("wakeword, without its engine", idle, "jarvis")
    if other := environment_of("openwakeword"):
        program = (str(other), "-m", "wyoming_openwakeword", "--preload-model", "alexa_v0.1")
        asks = b'{"type":"describe"}\n'
        yield Service("wyoming-openwakeword", program, "alexa_v0.1", asks, hears_later=True)


def hop():
    """Return 80 ms of near-silence as Wyoming's own client sends it."""
    noise = np.random.default_rng(0).integers(-300, 300, 1280, np.int16).tobytes()
    block = json.dumps({"rate": 16_000, "width": 2, "channels": 1, "timestamp": 123_456}).encode()
    head = {"type": "audio-chunk", "version": "1.8.0"}
    head |= {"data_length": len(block), "payload_length": len(noise)}
    return json.dumps(head).encode() + b"\n" + block + noise


def used(pid):
    """Return the seconds of CPU time and the KiB of memory that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    memory = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    return ticks / os.sysconf("SC_CLK_TCK"), memory


def connect(path):
    """Connect as soon as there is a place to wait, which a timeout of the socket would not do."""
    end = time.monotonic() + PATIENCE
    while True:
        connection = socket.socket(socket.AF_UNIX)
        connection.setblocking(False)
        try:
            connection.connect(str(path))
        except BlockingIOError:
            connection.close()
            assert time.monotonic() < end, "the service takes nobody up"
            time.sleep(0.001)
        else:
            connection.settimeout(PATIENCE)
            return connection


class Rooms:
    """Connected rooms, each of which sends a hop when it is due."""

    def __init__(self, path, service, count):
        self.chunk = hop()
        self.asking = self.chunk + service.question
        self.sockets, self.selector = [], selectors.DefaultSelector()
        self.asked = [0.0] * count
        self.latencies = []
        detect = json.dumps({"type": "detect", "data": {"names": [service.word]}}).encode() + b"\n"
        for number in range(count):
            connection = connect(path)
            connection.sendall(detect)
            connection.setblocking(False)
            self.selector.register(connection, selectors.EVENT_READ, number)
            self.sockets.append(connection)

    def send(self, seconds):
        """Send in real time for so long; return what share of the hops could be sent."""
        count = len(self.sockets)
        begin, sent, refused = time.perf_counter(), 0, 0
        while (now := time.perf_counter()) < begin + seconds:
            due = int((now - begin) / HOP * count) + 1
            for index in range(sent, due):
                room, turn = index % count, index // count
                ask = (turn + room) % ASK_EVERY == 0 and not self.asked[room]
                frame = self.asking if ask else self.chunk
                try:
                    whole = self.sockets[room].send(frame) == len(frame)
                except BlockingIOError:
                    refused += 1
                    continue
                assert whole, "a frame was sent in part: the service is far behind"
                if ask:
                    self.asked[room] = time.perf_counter()
            sent = max(sent, due)
            self.receive(min(0.002, HOP / count))
        return 1 - refused / sent

    def receive(self, wait):
        for key, _ in self.selector.select(wait):
            received = key.fileobj.recv(65_536)
            assert received, "the service hung up"
            if self.asked[key.data] and received.endswith((b"\n", b"}")):
                self.latencies.append(time.perf_counter() - self.asked[key.data])
                self.asked[key.data] = 0.0

    def close(self):
        for connection in self.sockets:
            connection.close()
        self.selector.close()


@dataclass(frozen=True)
class Figures:
    """What a number of rooms cost."""

    p99: float
    """Of the added latency, in seconds."""
    hop: float
    """Seconds of CPU for a hop of one room."""
    core: float
    """Share of a core."""
    room: float
    """KiB of memory for a room."""

    def kept_up(self, service):
        return self.p99 < HOP and not (service.hears_later and self.core > FULL)


def measure(service, count):
    """Return the figures of so many rooms; raises AssertionError where the service ends."""
    with tempfile.TemporaryDirectory(prefix="ww") as folder:
        path = Path(folder) / "wake.sock"
        command = ["taskset", "-c", "0", *service.command, "--uri", f"unix://{path}"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            try:
                wait_for(path, process, service)
                _, empty = used(process.pid)
                rooms = Rooms(path, service, count)
                rooms.send(WARM_UP)
                rooms.latencies.clear()
                before, began = used(process.pid)[0], time.perf_counter()
                share = rooms.send(SECONDS)
                took = time.perf_counter() - began
                cpu, memory = used(process.pid)
                waiting = [time.perf_counter() - asked for asked in rooms.asked if asked]
                late = [wait for wait in waiting if wait > HOP]  # never answered in time
                latencies = np.array(rooms.latencies + late)
                rooms.close()
                assert process.poll() is None, f"{service.name} ended"
            finally:
                process.kill()
    hops = count * took / HOP * share
    p99 = float(np.percentile(latencies, 99)) if len(latencies) else np.inf
    return Figures(p99, (cpu - before) / hops, (cpu - before) / took, (memory - empty) / count)


def wait_for(path, process, service):
    """Wait until a service answers."""
    end = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None, f"{service.name} did not start"
        assert time.monotonic() < end, f"{service.name} does not answer"
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(1)
                connection.connect(str(path))
                connection.sendall(service.question)
                if connection.recv(1):
                    break
        except OSError:
            time.sleep(0.1)
    time.sleep(0.5)


def engine_in_a_loop():
    """Return how many streams openWakeWord's engine hears on a core; None where it is missing."""
    program = [sys.executable, str(ROOT / "tests/bench_engine.py"), "open"]
    done = subprocess.run(
        ["taskset", "-c", "0", *program], capture_output=True, text=True, check=False
    )
    if done.returncode:
        return None
    return 1 / json.loads(done.stdout.splitlines()[-1])["cpu"]


def main(counts, *, write):
    if others := os.sched_getaffinity(0) - {0}:
        os.sched_setaffinity(0, others)
    load = f"{os.getloadavg()[0]:.0f}"
    print(f"load {load} when it began")
    print(f"{'':30} {'rooms':>6} {'p99 ms':>8} {'us/hop':>8} {'of a core':>10} {'KiB/room':>9}")
    rows, most = [], {}
    for service in services():
        for count in counts:
            figures = measure(service, count)
            if not figures.kept_up(service):
                figures = min(figures, measure(service, count), key=lambda one: one.p99)
            kept = figures.kept_up(service)
            cells = (
                f"{figures.p99 * 1e3:.1f}",
                f"{figures.hop * 1e6:.0f}",
                f"{figures.core:.0%}",
                f"{figures.room:.0f}",
            )
            told = "" if kept else "not kept up"
            print(f"{service.name:30} {count:6} {cells[0]:>8} {cells[1]:>8} {cells[2]:>10}"
                  f" {cells[3]:>9}   {told}", flush=True)  # fmt: skip
            rows.append((service.name, f"{count:,}", *cells, told or "yes"))
            if not kept:
                break
            most[service.name] = count
    alone = engine_in_a_loop()
    ours = f"{most.get('wakeword', 0):,} rooms"
    summary = f"Most rooms that were kept up on one core: {ours}."
    if other := most.get("wyoming-openwakeword"):
        summary = f"{summary[:-1]}, and {other:,} by wyoming-openwakeword."
    if alone is not None:
        summary += f" openWakeWord's engine alone, in a loop, does {alone:.0f} streams a core."
    print(summary)
    if write:
        header = ("", "rooms", "p99, ms", "µs a hop", "of a core", "KiB a room", "kept up")
        began = f"The load of the machine was {load} when it began."
        page.write(PAGE, "rooms", ["", *page.table(header, rows), "", summary, began, ""])


if __name__ == "__main__":
    parser = page.command(__doc__)
    parser.add_argument("rooms", nargs="*", type=int, default=COUNTS, help="numbers of rooms")
    given = parser.parse_args()
    main(given.rooms, write=given.write)
