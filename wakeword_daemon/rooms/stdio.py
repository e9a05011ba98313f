"""One room on standard input and output, for a program that starts the service itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wakeword_daemon.events.framing import FrameDecoder, ProtocolError
from wakeword_daemon.events.protocol import Error
from wakeword_daemon.rooms.connection import READ_SIZE
from wakeword_daemon.rooms.room import Room

if TYPE_CHECKING:
    from wakeword_daemon.rooms.detectors import Detectors


def serve(detectors: Detectors, read_from: int, write_to: int) -> None:
    """Serve the peer at two file descriptors until it ends or sends what cannot be understood.

    Raises:
        BrokenPipeError: it no longer reads.

    """
    room, decoder = Room(detectors), FrameDecoder()
    while received := os.read(read_from, READ_SIZE):
        decoder.feed(received)
        while True:
            try:
                frame = decoder.next_frame()
                if frame is None:
                    break
                answer = room.take(frame)
            except ProtocolError as error:
                answer = Error(text=str(error), code=error.code).line()
                if error.fatal:
                    _write(write_to, answer)
                    return
            _write(write_to, answer)


def _write(descriptor: int, answer: bytes) -> None:
    while answer:
        answer = answer[os.write(descriptor, answer) :]
