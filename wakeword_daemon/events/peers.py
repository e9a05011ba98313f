"""Who is at the other end of a connection: whether they may connect, and their name in the log."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

_SEND_BUFFER = 64 * 1024  # bytes the kernel holds for a peer that does not read
_LOST = 90_000  # milliseconds without an answer after which the network counts as gone
_SO_PEERGROUPS = 59  # <asm-generic/socket.h>; Python has no name for it
_MAX_OPTION = 1024  # the most bytes Python's getsockopt returns: 256 groups


def tune(connection: socket.socket) -> None:
    """Limit the cost of a peer that does not read, and detect one that has left the network."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
    if connection.family != socket.AF_UNIX:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
        # Probes are sent only where nothing waits for an answer; this is for what does.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _LOST)


def admitted(connection: socket.socket, group: int | None) -> bool:
    """Return whether a peer may connect: on a unix socket this user, root and the group may.

    The file's permissions say the same, but they may have been changed by hand or by a unit. On TCP
    the token decides later.
    """
    if connection.family != socket.AF_UNIX:
        return True
    _, uid, gid = _credentials(connection)
    if uid in {0, os.getuid()} or gid == group:
        return True
    return group is not None and group in _supplementary_groups(connection)


def peer_name(connection: socket.socket) -> str:
    """Return who is at the other end, for the log: process and command, or address and port."""
    if connection.family != socket.AF_UNIX:
        host, port = connection.getpeername()[:2]
        return f"{host} port {port}"
    pid, uid, _ = _credentials(connection)
    try:
        command = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace")
    except OSError:  # it is gone, or in another PID namespace
        return f"process {pid} of user {uid}"
    # A process chooses its own name, and must not be able to forge a line of the log with it.
    printable = "".join(char for char in command if char.isprintable())
    return f"process {pid} ({printable})"


def _credentials(connection: socket.socket) -> tuple[int, int, int]:
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, gid = struct.unpack("3i", raw)
    return pid, uid, gid


def _supplementary_groups(connection: socket.socket) -> set[int]:
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MAX_OPTION)
    except OSError:  # it is in more groups than that
        return set()
    return {gid for (gid,) in struct.iter_unpack("I", raw)}
