"""Where the event socket is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wakeword_daemon import xdg
from wakeword_daemon.errors import EventsError

if TYPE_CHECKING:
    from wakeword_daemon.events.connection import Address

_NAME = Path("wakeword/events.sock")
_SYSTEM = Path("/run") / _NAME


def default_socket() -> Path:
    """Return where a daemon of this user listens: in the user's runtime folder, or below /run."""
    runtime = xdg.runtime_folder()
    return _SYSTEM if runtime is None else runtime / _NAME


def find_socket() -> Path:
    """Return the socket of this user's own daemon, or of the system's if only that exists.

    A socket in a folder that this user may not read counts as existing, because the error from
    connecting to it says what is wrong.
    """
    own = default_socket()
    return own if _there(own) or not _there(_SYSTEM) else _SYSTEM


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        return True


def parse_address(socket: str | Path | None) -> Address:
    """Return the address that a client connects to.

    Args:
        socket: a path, `tcp://host:port`, or None for the daemon on this machine.

    Raises:
        EventsError: it is a TCP address without a port.

    """
    if socket is None:
        return find_socket()
    if not str(socket).startswith("tcp://"):
        return Path(socket)
    host, _, port = str(socket).removeprefix("tcp://").rpartition(":")
    if not host or not port.isdecimal():
        raise EventsError(f"{socket} is not an address; write it as tcp://host:port")
    return host.strip("[]"), int(port)
