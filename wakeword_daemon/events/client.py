"""Listening to the daemon from another program, with plain sockets.

    for detection in subscribe():
        print(detection.name, detection.score)

Imports neither asyncio nor numpy, so that a small program stays small; `aioclient` has the
asynchronous form.
"""

from __future__ import annotations

import contextlib
import logging
import math
import socket as sockets
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING

from wakeword_daemon.errors import EventsError
from wakeword_daemon.events.framing import FrameDecoder, ProtocolError, encode
from wakeword_daemon.events.paths import parse_address
from wakeword_daemon.events.protocol import Authenticate, Error, Status
from wakeword_daemon.events.subscription import (
    ANSWER_TIMEOUT,
    READ_SIZE,
    Subscription,
    UnreachableError,
    retry_delays,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from wakeword_daemon.events.protocol import Detection

logger = logging.getLogger(__name__)


def subscribe(
    socket: str | Path | None = None,
    *,
    words: Sequence[str] | None = None,
    timeout: float | None = None,
    reconnect: bool = True,
    token: str | None = None,
) -> Generator[Detection, None, None]:
    """Yield every detection from now on.

    The connection stands when this returns, so nothing heard from then on is missed. If the daemon
    goes away, the iteration waits for it to come back and goes on where it was: no detection comes
    twice, and if some are lost a warning in the log says so. So it does when the daemon turns deaf.

    Args:
        socket: the daemon's socket, or `tcp://host:port`; None for the daemon on this machine.
        words: names of the wake words to be told about; None for all.
        timeout: seconds after which the iteration ends; None for never.
        reconnect: whether to wait for a daemon that went away.
        token: what a daemon on TCP may ask for.

    Raises:
        EventsError: no daemon is there, it refused us (an unknown word, a wrong token), or it went
            away and `reconnect` is false.

    """
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    address = parse_address(socket)
    subscription = Subscription(words, token)
    connection = _open(address, subscription)
    return _follow(connection, address, subscription, deadline, reconnect=reconnect)


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
            return _answer(connection)
    except OSError as error:
        raise UnreachableError.because(address, error) from error
    except ProtocolError as error:
        raise EventsError(f"whoever answers is no wake-word daemon: {error}") from error


def connect(address: Path | tuple[str, int]) -> sockets.socket:
    """Return a socket connected to the daemon, with a time limit set.

    Raises:
        OSError: nobody listens there.

    """
    if not isinstance(address, Path):
        return sockets.create_connection(address, timeout=ANSWER_TIMEOUT)
    connection = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
    try:
        # Without Python's time limit, under which a full queue of connects is an error at once.
        limit = struct.pack("ll", *divmod(round(ANSWER_TIMEOUT * 1e6), 1_000_000))
        connection.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDTIMEO, limit)
        connection.connect(str(address))
        connection.settimeout(ANSWER_TIMEOUT)
    except BaseException:
        connection.close()
        raise
    return connection


def _answer(connection: sockets.socket) -> Status:
    decoder = FrameDecoder()
    while True:
        decoder.feed(_receive(connection))
        while (frame := decoder.next_frame()) is not None:
            if frame.type == Status.kind:
                return Status.from_frame(frame)
            if frame.type == Error.kind:
                raise EventsError(f"the daemon refused: {Error.from_frame(frame).text}")


def _follow(
    connection: sockets.socket,
    address: Path | tuple[str, int],
    subscription: Subscription,
    deadline: float,
    *,
    reconnect: bool,
) -> Generator[Detection, None, None]:
    try:
        while True:
            while subscription.arrived:
                yield subscription.arrived.popleft()
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return
            connection.settimeout(None if math.isinf(remaining) else remaining)
            try:
                subscription.receive(_receive(connection))
            except TimeoutError:
                continue
            except OSError as error:
                if not reconnect:
                    raise UnreachableError.because(address, error) from error
                connection.close()
                logger.info("the daemon went away; waiting for it to come back")
                reopened = _reopen(address, subscription, deadline)
                if reopened is None:
                    return
                connection = reopened
    finally:
        connection.close()


def _reopen(
    address: Path | tuple[str, int], subscription: Subscription, deadline: float
) -> sockets.socket | None:
    for delay in retry_delays():
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            break
        time.sleep(min(delay, remaining))
        try:
            return _open(address, subscription)
        except UnreachableError:
            continue
    return None


def _open(address: Path | tuple[str, int], subscription: Subscription) -> sockets.socket:
    try:
        connection = connect(address)
        try:
            with contextlib.suppress(ConnectionError):  # it may have said why before it closed
                connection.sendall(subscription.hello())
            while not subscription.ready:
                subscription.receive(_receive(connection))
        except BaseException:
            connection.close()
            raise
    except OSError as error:
        raise UnreachableError.because(address, error) from error
    return connection


def _receive(connection: sockets.socket) -> bytes:
    received = connection.recv(READ_SIZE)
    if not received:
        raise ConnectionResetError("it closed the connection")
    return received
