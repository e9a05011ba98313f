"""A client's connection to the daemon, and errors that say why there is none."""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from typing import TypeAlias

from wakeword_daemon.errors import EventsError

Address: TypeAlias = Path | tuple[str, int]
"""A unix socket's path, or host and port."""

ANSWER_TIMEOUT = 5.0
"""Seconds a daemon may take to accept a connection, and to answer a request."""

READ_SIZE = 16 * 1024

_SILENT = 20
_PROBES = 4
_PROBE_EVERY = 5
"""Seconds of silence on TCP, and unanswered probes, until the network counts as gone: 40 s."""


class UnreachableError(EventsError):
    """Nothing answers at the address; a later try may succeed."""


class AbsentError(UnreachableError):
    """No daemon listens at the address yet, or it is just ending."""


def place(address: Address) -> str:
    """Return the address as it is written in a sentence."""
    return str(address) if isinstance(address, Path) else f"{address[0]} port {address[1]}"


def unreachable(address: Address, error: OSError) -> UnreachableError:
    """Return an error that says why a connection failed."""
    where = place(address)
    if isinstance(error, (FileNotFoundError, ConnectionRefusedError)):
        return AbsentError(f"no daemon is listening at {where}; start it with `wakeword run`")
    if isinstance(error, ConnectionError):
        return AbsentError(f"the daemon at {where} closed the connection")
    if isinstance(error, PermissionError):
        return UnreachableError(
            f"{where} belongs to another user, and only that user may connect;"
            " `socket: {group: NAME}` in its config admits a group"
        )
    if isinstance(error, (TimeoutError, BlockingIOError)):
        return UnreachableError(f"the daemon at {where} does not answer")
    return UnreachableError(
        f"the daemon at {where} cannot be reached: {error.strerror or str(error)}"
    )


def connect(address: Address) -> socket.socket:
    """Return a socket connected to the daemon, with a time limit of `ANSWER_TIMEOUT`.

    Raises:
        OSError: nobody listens there.

    """
    if not isinstance(address, Path):
        return _notice_a_lost_network(socket.create_connection(address, timeout=ANSWER_TIMEOUT))
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Not with Python's own time limit: with it, a full queue of connections fails at once.
        limit = struct.pack("ll", *divmod(round(ANSWER_TIMEOUT * 1e6), 1_000_000))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        connection.connect(str(address))
        connection.settimeout(ANSWER_TIMEOUT)
    except BaseException:
        connection.close()
        raise
    return connection


def _notice_a_lost_network(connection: socket.socket) -> socket.socket:
    # A subscriber only reads, so without probes it would wait for ever.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _SILENT)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _PROBE_EVERY)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES)
    return connection


def receive(connection: socket.socket) -> bytes:
    """Return what the daemon sent, at least one byte.

    Raises:
        OSError: nothing came in time, or the connection ended.

    """
    return or_closed(connection.recv(READ_SIZE))


def or_closed(received: bytes) -> bytes:
    """Return what was received.

    Raises:
        ConnectionResetError: it is empty, which means that the connection has ended.

    """
    if not received:
        raise ConnectionResetError("it closed the connection")
    return received
