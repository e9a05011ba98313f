"""The event protocol: what a peer sends to the daemon, and what a daemon sends to a subscriber."""

import asyncio
import contextlib
import json
from pathlib import Path

import numpy as np
from support.eventserver import detection, info, status

from wakeword_daemon.audio.ring import RingBuffer
from wakeword_daemon.errors import EventsError
from wakeword_daemon.events.history import History
from wakeword_daemon.events.protocol import Paused, Resumed, Subscribe, ThresholdSet
from wakeword_daemon.events.session import Limits, ServerContext, Session
from wakeword_daemon.events.subscription import Receive, follow

TOKEN = "not told"  # noqa: S105 -- of the daemon that is fuzzed
BEFORE_THE_TOKEN = {"error"}
ANSWERS = {
    "info", "pong", "status", "subscribed", "watching", "error", "detection", "telemetry",
    "audio-start", "audio-chunk", "audio-stop", "paused", "resumed", "threshold-set",
}  # fmt: skip


class Control:
    """A daemon that does whatever it is asked for."""

    def __init__(self):
        self.asked = 0

    async def pause(self, minutes):
        self.asked += 1
        return Paused(until=minutes)

    async def resume(self):
        self.asked += 1
        return Resumed(state="listening", reason="")

    async def set_threshold(self, name, threshold, *, save):
        self.asked += 1
        return ThresholdSet(name=name, threshold=threshold, saved=str(save))


class Writer:
    """The sending half of a connection, which keeps what is sent."""

    def __init__(self):
        self.sent = bytearray()
        self.transport = self
        self._closed = False

    def write(self, line):
        self.sent += line

    def is_closing(self):
        return self._closed

    def close(self):
        self._closed = True

    abort = close

    def set_write_buffer_limits(self, high):
        pass

    async def drain(self):
        pass

    async def wait_closed(self):
        pass


_loop = asyncio.new_event_loop()
_ring = RingBuffer(2)
_ring.write(np.ones(30_000, np.int16))


async def _serve(pieces, token, may_control):
    control = Control()
    history = History(8)
    for _ in range(12):
        history.append(history.number(detection()))
    context = ServerContext(info, status, _ring, history, Limits(), control, lambda: None)
    reader, writer = asyncio.StreamReader(), Writer()
    session = Session(context, reader, writer, peer="", token=token, may_control=may_control)
    for piece in pieces:
        reader.feed_data(piece)
    reader.feed_eof()
    await session.run()
    kinds = set(_kinds(bytes(writer.sent)))
    assert kinds <= ANSWERS, kinds
    assert may_control or not control.asked
    assert session._admitted or kinds <= BEFORE_THE_TOKEN, kinds


def _kinds(sent):
    while sent:
        line, _, sent = sent.partition(b"\n")
        header = json.loads(line)
        sent = sent[header.get("payload_length", 0) :]
        yield header["type"]


def _subscribe(pieces):
    """Subscribe to a daemon that sends these pieces."""
    steps = follow(Path("/socket"), None, None, Subscribe(audio="always"), reconnect=False)
    waiting = iter(pieces)
    with contextlib.suppress(EventsError, StopIteration):
        step = next(steps)
        while True:
            step = steps.send(next(waiting) if isinstance(step, Receive) else None)


def one_input(data):
    """Take the first byte as what to fuzz, and where the rest is cut in two."""
    if not data:
        return
    choice, data = data[0], data[1:]
    pieces = [data[: choice * 2], data[choice * 2 :]] if choice & 8 else [data]
    pieces = [piece for piece in pieces if piece]
    if choice & 1:
        _subscribe(pieces)
    else:
        token = TOKEN if choice & 2 else None
        _loop.run_until_complete(_serve(pieces, token, may_control=bool(choice & 4)))
