"""Measure the wake service: `python tests/bench_rooms.py [ROOMS…]` from the top of the checkout.

Rooms send 80 ms of audio every 80 ms over a unix socket to `wakeword serve` on one core; whoever
sends has the other cores. After every tenth chunk a room asks for a `pong`, which comes once the
chunk is heard: how long it took is the added latency. "protocol" is the same service with a
detector that does nothing. A number of rooms is kept up if the slowest hundredth of the answers
takes less than one hop of 80 ms.
"""

import json
import os
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.daemon import WAKEWORD

HOP = 0.08
SECONDS = 8.0
WARM_UP = 2.0
ASK_EVERY = 10
COUNTS = (1, 10, 100, 200, 400, 1000, 2000, 3000)

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


def frames():
    """Return a hop of near-silence as Wyoming's own client sends it, and the same with a ping."""
    noise = np.random.default_rng(0).integers(-300, 300, 1280, np.int16).tobytes()
    block = json.dumps({"rate": 16_000, "width": 2, "channels": 1, "timestamp": 123_456}).encode()
    head = {"type": "audio-chunk", "version": "1.8.0"}
    head |= {"data_length": len(block), "payload_length": len(noise)}
    chunk = json.dumps(head).encode() + b"\n" + block + noise
    return chunk, chunk + b'{"type":"ping"}\n'


def used(pid):
    """Return the seconds of CPU time and the KiB of memory that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    memory = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    return ticks / os.sysconf("SC_CLK_TCK"), memory


class Rooms:
    """Connected rooms, each of which sends a hop when it is due."""

    def __init__(self, path, count):
        self.chunk, self.asking = frames()
        self.sockets, self.selector = [], selectors.DefaultSelector()
        self.asked = [0.0] * count
        self.latencies = []
        for number in range(count):
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(str(path))
            connection.sendall(b'{"type":"detect","data":{"names":["jarvis"]}}\n')
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
            key.fileobj.recv(4096)
            self.latencies.append(time.perf_counter() - self.asked[key.data])
            self.asked[key.data] = 0.0

    def close(self):
        for connection in self.sockets:
            connection.close()
        self.selector.close()


def measure(count, *, engine):
    """Return p99 latency in ms, CPU us a hop, KiB a room, and the share of one core."""
    program = WAKEWORD if engine else (sys.executable, "-c", NO_ENGINE)
    with tempfile.TemporaryDirectory(prefix="ww") as folder:
        path = Path(folder) / "wake.sock"
        command = ["taskset", "-c", "0", *program, "serve", "--uri", f"unix://{path}"]
        with subprocess.Popen([*command, "--word", "jarvis"], stderr=subprocess.DEVNULL) as service:
            try:
                while not path.exists():
                    time.sleep(0.05)
                time.sleep(0.2)
                _, empty = used(service.pid)
                rooms = Rooms(path, count)
                rooms.send(WARM_UP)
                rooms.latencies.clear()
                before, began = used(service.pid)[0], time.perf_counter()
                share = rooms.send(SECONDS)
                took = time.perf_counter() - began
                cpu, memory = used(service.pid)
                waiting = [time.perf_counter() - asked for asked in rooms.asked if asked]
                late = [wait for wait in waiting if wait > HOP]  # never answered in time
                latencies = np.array(rooms.latencies + late)
                rooms.close()
            finally:
                service.kill()
    hops = count * took / HOP * share
    p99 = float(np.percentile(latencies, 99)) * 1e3
    return p99, (cpu - before) / hops * 1e6, (memory - empty) / count, (cpu - before) / took


def main():
    counts = [int(number) for number in sys.argv[1:]] or COUNTS
    print(f"load {os.getloadavg()[0]:.1f} when it began")
    for engine in (True, False):
        print("\n" + ("service" if engine else "protocol: the service without its engine"))
        print(f"{'rooms':>6} {'p99 ms':>8} {'us/hop':>8} {'of a core':>10} {'KiB/room':>9}")
        for count in counts:
            p99, cost, memory, core = measure(count, engine=engine)
            print(
                f"{count:6} {p99:8.1f} {cost:8.0f} {core:10.1%} {memory:9.1f}"
                + ("" if p99 < HOP * 1e3 else "   not kept up"),
                flush=True,
            )
            if p99 >= HOP * 1e3:
                break


if __name__ == "__main__":
    main()
