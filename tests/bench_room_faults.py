"""Measure the wake service while clients misbehave: `python tests/bench_room_faults.py [--write]`.

One room sends audio in real time and asks for a `pong` after every hop; ten new rooms a second
connect and ask for their first. Meanwhile a nuisance runs in its own process. The bench prints how
long the rooms waited, what the service answered to the nuisance, and the service's memory. With
`--write`, the table in docs/faults.md is replaced.
"""

import contextlib
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).parents[1]))

from support import page
from support.daemon import AUDIO, WAKEWORD

PAGE = Path(__file__).parents[1] / "docs/faults.md"
HOP = 0.08
CHUNK = bytes(2_560)
FORM = {"rate": 16_000, "width": 2, "channels": 1}


def frame(kind, payload=b"", **data):
    head = {"type": kind, "data": data}
    if payload:
        head["payload_length"] = len(payload)
    return json.dumps(head).encode() + b"\n" + payload


def connect(path):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(path))
    connection.settimeout(60)
    return connection


def answers(connection):
    """Return the types of all answers until the service closes; for an error its code."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65_536):
            received += piece
    events = [json.loads(line) for line in received.splitlines()]
    return [event["data"].get("code") or event["type"] for event in events] or ["closed"]


# Nuisances: each takes the socket's path, and returns all answers, or a sentence about them.


def come_and_go(path):
    """10,000 connections in a row that leave immediately."""
    for _ in range(10_000):
        connect(path).close()
    return []


def vanish(path):
    """2,000 that send a chunk and leave in the middle of the next."""
    whole = frame("audio-chunk", CHUNK, **FORM)
    for _ in range(2_000):
        with connect(path) as connection:
            connection.sendall(whole + whole[:1000])
    return []


def trickle(path):
    """500 at a time that send one byte a second."""
    rooms = [connect(path) for _ in range(500)]
    for octet in frame("audio-start", **FORM)[:14]:
        for room in rooms:
            with contextlib.suppress(OSError):
                room.sendall(bytes([octet]))
        time.sleep(1)
    answered = [answer for room in rooms for answer in answers(room)]
    for room in rooms:
        room.close()
    return answered


def nonsense(path):
    """2,000 with invalid audio: each gets an error and continues."""
    start = frame("audio-start", **FORM)
    wrong = [
        frame("audio-start", **FORM | {"width": 5}),
        frame("audio-start", **FORM | {"rate": 0}),
        frame("audio-start", **FORM | {"rate": "fast"}),
        frame("audio-start", **FORM | {"channels": 0}),
        start + frame("audio-chunk", CHUNK[:-1], **FORM),
    ]
    answered = []
    for number in range(2_000):
        bad = wrong[number % len(wrong)]
        with connect(path) as connection:
            connection.sendall(bad + frame("audio-chunk", CHUNK, **FORM) + frame("ping"))
            connection.shutdown(socket.SHUT_WR)
            answered += answers(connection)
    return answered


def formats(path):
    """500 with 8 channels in all widths, whose rate changes."""
    answered = []
    for number in range(500):
        with connect(path) as connection:
            for rate in (16_000, 48_000, 44_100, 8_000):
                form = {"rate": rate, "width": 1 + number % 4, "channels": 8}
                payload = bytes(min(rate // 20 * form["width"] * 8, 65_536))
                connection.sendall(frame("audio-chunk", payload, **form))
            connection.sendall(frame("ping"))
            connection.shutdown(socket.SHUT_WR)
            answered += answers(connection)
    return answered


def flood(path):
    """50 that send audio as fast as they can, for 10 s."""
    rooms = [connect(path) for _ in range(50)]
    waiting = dict.fromkeys(rooms, b"")
    for room in rooms:
        room.setblocking(False)
    piece, end, sent = frame("audio-chunk", CHUNK, **FORM) * 8, time.monotonic() + 10, 0
    while time.monotonic() < end:
        for room in rooms:
            rest = waiting[room] or piece
            with contextlib.suppress(BlockingIOError):
                count = room.send(rest)
                waiting[room] = rest[count:]
                sent += count
        time.sleep(0.001)
    seconds = sent / len(piece) * 8 * HOP / len(rooms)
    return f"{seconds:.0f} s of audio were read from each, including the kernel's buffers"


def come_back(path):
    """3,000 rooms that come back at once."""
    begun = frame("detect", names=["jarvis"]) + frame("audio-chunk", CHUNK, **FORM) + frame("ping")
    began, rooms = time.perf_counter(), []
    for _ in range(3_000):
        rooms.append(connect(path))
        rooms[-1].sendall(begun)
    for room in rooms:
        assert b"pong" in room.recv(4096)
        room.close()
    return f"the audio of all was heard within {time.perf_counter() - began:.1f} s"


NUISANCES = (come_and_go, vanish, trickle, nonsense, formats, flood, come_back)


def nuisance(make, path, results):
    answered = make(path)
    if not isinstance(answered, str):
        counts = sorted(Counter(answered).items())
        answered = ", ".join(f"{count:,} {what}" for what, count in counts)
    results.put(answered)


class Witness:
    """A room that sends in real time, and one that connects again and again."""

    def __init__(self, path):
        self._path = path
        self._room = connect(path)
        self._hop = frame("audio-chunk", CHUNK, **FORM) + frame("ping")

    def hear(self, until):
        """Return the seconds that a `pong` took, of the old room and of new ones."""
        old, new = [], []
        while not until():
            began = time.perf_counter()
            old.append(self._ask(self._room, self._hop))
            began_new = time.perf_counter()
            with connect(self._path) as room:
                self._ask(room, frame("ping"))
            new.append(time.perf_counter() - began_new)
            time.sleep(max(0.0, HOP - (time.perf_counter() - began)))
        return old, new

    @staticmethod
    def _ask(room, lines):
        began, received = time.perf_counter(), b""
        room.sendall(lines)
        while not received.endswith(b"\n"):
            piece = room.recv(4096)
            assert piece, "the service hung up"
            received += piece
        return time.perf_counter() - began


def memory(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def an_hour_of_silence():
    """Send an hour of silence over standard input, as fast as the service reads it, and a word.

    Returns a sentence about it.
    """
    word = soundfile.read(AUDIO / "jarvis-slt.flac", dtype="int16")[0].tobytes()
    command = [*WAKEWORD, "serve", "--uri", "stdio://", "--word", "jarvis"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as service:
        sizes, began = [], time.perf_counter()
        silence = frame("audio-chunk", CHUNK, **FORM)
        for hop in range(round(3600 / HOP)):
            service.stdin.write(silence)
            if hop % 7_500 == 2_000:  # every ten minutes
                sizes.append(memory(service.pid))
        for start in range(0, len(word), 2_560):
            service.stdin.write(frame("audio-chunk", word[start : start + 2_560], **FORM))
        service.stdin.write(silence * 10)
        service.stdin.close()
        heard = [json.loads(line) for line in service.stdout]
    return (
        "The service then read an hour of silence from standard input, as fast as it could, which"
        f" took {time.perf_counter() - began:.0f} s. Its memory stayed between {min(sizes):.1f} and"
        f" {max(sizes):.1f} MiB. To the word that followed it answered with"
        f" {', '.join(event['type'] for event in heard)}, at"
        f" {heard[0]['data']['timestamp'] / 1000:,.2f} s."
    )


def row(what, waited, answered, pid):
    """Return a row of the table: the median and the longest waits, in ms, and the memory."""
    waits = [f"{np.median(times) * 1e3:.1f}; {np.max(times) * 1e3:.1f}" for times in waited]
    cells = [what + answered, *waits, f"{memory(pid):.1f}"]
    print("  ".join(cells), flush=True)
    return cells


def main(*, write):
    load = f"The load of the machine was {os.getloadavg()[0]:.0f} when it began."
    print(load)
    with tempfile.TemporaryDirectory(prefix="ww") as folder:
        path = Path(folder) / "wake.sock"
        command = [*WAKEWORD, "serve", "--uri", f"unix://{path}", "--word", "jarvis"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as service:
            try:
                while not path.exists():
                    assert service.poll() is None, "the service did not start"
                    time.sleep(0.05)
                time.sleep(0.2)
                rows = among_nuisances(path, service.pid)
            finally:
                service.kill()
    silence = an_hour_of_silence()
    print(silence)
    if write:
        header = ("meanwhile", "connected room", "new room", "memory, MiB")
        page.write(PAGE, "rooms", ["", *page.table(header, rows), "", load, silence, ""])


def among_nuisances(path, pid):
    """Return the rows of the table."""
    witness, calm = Witness(path), time.monotonic() + 5
    rows = [row("nothing else", witness.hear(lambda: time.monotonic() > calm), "", pid)]
    for make in NUISANCES:
        results = multiprocessing.Queue()
        process = multiprocessing.Process(target=nuisance, args=(make, path, results))
        process.start()
        over = lambda: not (results.empty() and process.is_alive())  # noqa: B023, E731
        waited = witness.hear(over)
        answered = results.get(timeout=10)
        process.join()
        what = make.__doc__.partition(":")[0].rstrip(".")
        rows.append(row(what, waited, f": {answered}" if answered else "", pid))
    return rows


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    main(write=page.command(__doc__).parse_args().write)
