"""The wake service: what a room sends, its audio too."""

import asyncio
import socket

from support.models import random_model

from wakeword_daemon.engine import WordSettings
from wakeword_daemon.rooms.connection import READ_SIZE, Connection, RoomLimits
from wakeword_daemon.rooms.detectors import Detectors
from wakeword_daemon.rooms.nearest import Nearest

# They fire at almost anything, so that what follows a detection is fuzzed too.
_detectors = Detectors(
    [random_model("one", seed=1), random_model("two", seed=2)],
    {"one": WordSettings(threshold=0.01, refractory=0.0), "two": WordSettings(threshold=0.5)},
)
_loop = asyncio.new_event_loop()
_ours, _theirs = socket.socketpair()


class Transport:
    """The transport of a connection, which keeps what is sent."""

    def __init__(self):
        self.sent = bytearray()
        self._closed = False

    def get_extra_info(self, _):
        return _ours

    def set_write_buffer_limits(self, high):
        pass

    def write(self, answer):
        assert answer.endswith(b"\n")
        self.sent += answer

    def is_closing(self):
        return self._closed

    def close(self):
        self._closed = True

    abort = close

    def pause_reading(self):
        pass

    resume_reading = pause_reading


async def _serve(data, size, nearest):
    connections, shared = set(), bytearray(READ_SIZE)
    connection = Connection(_detectors, RoomLimits(), shared, connections, nearest)
    transport = Transport()
    connection.connection_made(transport)
    assert connections
    for start in range(0, len(data), size):
        piece = data[start : start + size]
        if transport.is_closing():
            break
        connection.get_buffer(-1)[: len(piece)] = piece
        connection.buffer_updated(len(piece))
    connection.check(_loop.time() + 60)
    connection.connection_lost(None)
    assert not connections


def one_input(data):
    """Take the first byte as how much is read at a time, and whether the nearest room fires."""
    if not data:
        return
    choice, data = data[0], data[1:]
    size = READ_SIZE if choice & 2 else choice + 1
    nearest = Nearest(0.0) if choice & 1 else None
    _loop.run_until_complete(_serve(data, size, nearest))
