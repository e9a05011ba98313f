"""Measure the event socket: `python tests/bench_events.py` from the top of the checkout.

Events a second to 50 subscribers, the longest time that publishing one took, and the server's
memory after tens of thousands of connects, polite and not. The server is a process of its own.
"""

import asyncio
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.eventserver import detection, info, status

from wakeword_daemon.events.framing import MAX_BYTES
from wakeword_daemon.events.server import EventServer

SUBSCRIBERS = 50
EVENTS = 5_000
BURST = 50
CONNECTS = 10_000

HABITS = {
    "connect and leave": b"",
    "leave in mid-frame": b'{"type": "desc',
    "send 20 frames of garbage": b"\x00\xff[[[\n" * 20,
}
LARGEST = (
    b'{"type":"audio-chunk","data_length":%d,"payload_length":%d}' % (MAX_BYTES, MAX_BYTES)
).ljust(MAX_BYTES) + b"\n"


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def serve(path):
    """Publish as many events as each line on stdin says, and print how long it took."""
    server = EventServer(info=info, status=status, unix=Path(path))
    await server.start()
    say("up")
    while count := await asyncio.to_thread(sys.stdin.readline):
        event, worst, cpu = detection(), 0.0, time.process_time()
        for number in range(1, int(count) + 1):
            before = time.perf_counter()
            server.publish(event)
            worst = max(worst, time.perf_counter() - before)
            if number % BURST == 0:
                while any(session.queued for session in server._sessions):  # noqa: ASYNC110
                    await asyncio.sleep(0)
        cpu = time.process_time() - cpu
        say(
            f"{cpu / int(count) * 1e6:.0f} us of CPU an event, longest publish {worst * 1e6:.0f} us"
        )
    await server.stop()


def connect(path):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(path))
    return connection


def resident_kib(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def measure_delivery(path, server):
    with selectors.DefaultSelector() as selector:
        for _ in range(SUBSCRIBERS):
            peer = connect(path)
            peer.sendall(b'{"type": "ping"}\n')
            peer.recv(65536)  # it was let in
            selector.register(peer, selectors.EVENT_READ)
        began = time.perf_counter()
        server.stdin.write(f"{EVENTS}\n")
        received = 0
        while received < SUBSCRIBERS * EVENTS:
            for key, _ in selector.select():
                received += key.fileobj.recv(1 << 20).count(b"\n")
        took = time.perf_counter() - began
        for key in list(selector.get_map().values()):
            key.fileobj.close()
    say(f"{EVENTS} events to {SUBSCRIBERS} subscribers: {EVENTS / took:.0f} events/s")
    say(server.stdout.readline().strip())


def measure_connects(path, server):
    for name, sent in HABITS.items():
        before = resident_kib(server)
        began = time.perf_counter()
        for _ in range(CONNECTS):
            with connect(path) as peer:
                try:
                    peer.sendall(sent)
                except BrokenPipeError:  # refused for the moment: too many connections
                    continue
        took = time.perf_counter() - began
        say(f"{CONNECTS} times {name}: {took:.1f} s, {resident_kib(server) - before:+d} KiB")


def measure_hoarders(path, server):
    before = resident_kib(server)
    peers = [connect(path) for _ in range(64)]
    for peer in peers:
        peer.sendall(LARGEST + bytes(2 * MAX_BYTES - 1))  # all but the last byte
    time.sleep(1)
    say(f"64 peers hold back the end of a largest frame: {resident_kib(server) - before:+d} KiB")


def main():
    with tempfile.TemporaryDirectory(prefix="ww") as folder:
        path = Path(folder) / "events.sock"
        command = [sys.executable, __file__, "serve", str(path)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        ) as server:
            server.stdout.readline()
            measure_delivery(path, server)
            measure_connects(path, server)
            measure_hoarders(path, server)
            say(f"the server's memory at the end: {resident_kib(server)} KiB")
            server.stdin.close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(serve(sys.argv[2]))
    else:
        main()
