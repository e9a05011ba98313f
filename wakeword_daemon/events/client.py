"""Listening to the daemon from another program, with plain sockets.

    for detection in subscribe():
        print(detection.name, detection.score)

Imports neither asyncio nor numpy, so that a small program stays small; `aioclient` has the
asynchronous form.
"""

from __future__ import annotations

import contextlib
import math
import time
from typing import TYPE_CHECKING, cast

from wakeword_daemon.errors import EventsError
from wakeword_daemon.events.connection import connect, receive, unreachable
from wakeword_daemon.events.framing import FrameDecoder, ProtocolError, encode
from wakeword_daemon.events.paths import parse_address
from wakeword_daemon.events.protocol import Authenticate, Detection, Error, Status
from wakeword_daemon.events.subscription import (
    Connect,
    DeadlineError,
    Pause,
    Ready,
    Receive,
    Send,
    follow,
)

if TYPE_CHECKING:
    import socket as sockets
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from wakeword_daemon.events.subscription import Step, Steps


def subscribe(
    socket: str | Path | None = None,
    *,
    words: Sequence[str] | None = None,
    timeout: float | None = None,
    reconnect: bool = True,
    token: str | None = None,
) -> Generator[Detection, None, None]:
    """Return an iterator over every detection from now on.

    The connection stands when this returns, so nothing heard from then on is missed. If no daemon
    is there yet, this waits for one; if the daemon goes away, the iteration waits for it to come
    back and goes on where it was. No detection comes twice. The log says, with a warning, that it
    waits, that the daemon hears nothing, and that events were lost if any were.

    Args:
        socket: the daemon's socket, or `tcp://host:port`; None for the daemon on this machine.
        words: names of the wake words to be told about; None for all.
        timeout: seconds from now after which the iteration ends; None for never.
        reconnect: whether to wait for a daemon that is not there yet or went away.
        token: what a daemon on TCP may ask for.

    Raises:
        EventsError: no daemon came within `timeout`, or none is there and `reconnect` is false; it
            lets us not in or refused us (an unknown word, a wrong token); and from the iteration,
            it went away and `reconnect` is false.

    """
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    events = _carry_out(follow(socket, words, token, reconnect=reconnect), deadline)
    next(events)  # Ready
    return cast("Generator[Detection, None, None]", events)


def read_status(socket: str | Path | None = None, *, token: str | None = None) -> Status:
    """Ask the daemon how it is.

    Args:
        socket: the daemon's socket, or `tcp://host:port`; None for the daemon on this machine.
        token: what a daemon on TCP may ask for.

    Raises:
        EventsError: no daemon is there, it does not answer, or it refused.

    """
    address = parse_address(socket)
    lines = encode("status", {})
    if token is not None:
        lines = Authenticate(token=token).line() + lines
    try:
        with connect(address) as connection:
            with contextlib.suppress(ConnectionError):  # it may have said why before it closed
                connection.sendall(lines)
            return _status(connection)
    except OSError as error:
        raise unreachable(address, error) from error
    except ProtocolError as error:
        raise EventsError(f"whoever answers is no wake-word daemon: {error}") from error


def _status(connection: sockets.socket) -> Status:
    decoder = FrameDecoder()
    while True:
        decoder.feed(receive(connection))
        while (frame := decoder.next_frame()) is not None:
            if frame.type == Status.kind:
                return Status.from_frame(frame)
            if frame.type == Error.kind:
                raise EventsError(f"the daemon refused: {Error.from_frame(frame).text}")


def _carry_out(steps: Steps, deadline: float) -> Generator[Ready | Detection, None, None]:
    """Take every step; yield those that are for the caller, until `time.monotonic()` is past it."""
    line = _Line(deadline)
    try:
        step = next(steps)
        while True:
            if isinstance(step, (Ready, Detection)):
                yield step
                step = next(steps)
                continue
            try:
                came = line.do(step)
            except (OSError, DeadlineError) as error:
                step = steps.throw(error)
            else:
                step = steps.send(came)
    except DeadlineError:
        return
    finally:
        line.close()


class _Line:
    """The connection of one subscription, and its deadline."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._connection: sockets.socket | None = None

    def do(self, step: Step) -> bytes | None:
        """Take one step.

        Raises:
            OSError: it failed.
            DeadlineError: the deadline came first.

        """
        match step:
            case Connect(address):
                self.close()
                self._connection = connect(address)
            case Send(line) if self._connection:
                self._connection.sendall(line)
            case Receive(limit) if self._connection:
                return self._receive(self._connection, limit)
            case Pause(seconds):
                time.sleep(min(seconds, self._remaining()))
        return None

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()

    def _receive(self, connection: sockets.socket, limit: float | None) -> bytes:
        if limit is not None:
            connection.settimeout(limit)
            return receive(connection)
        while True:
            remaining = self._remaining()
            connection.settimeout(None if math.isinf(remaining) else remaining)
            with contextlib.suppress(TimeoutError):
                return receive(connection)

    def _remaining(self) -> float:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise DeadlineError
        return remaining
