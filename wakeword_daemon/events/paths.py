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
    """Return where a daemon of this user listens: in the user's runtime folder, else below /run."""
    runtime = xdg.runtime_folder()
    return _SYSTEM if runtime is None else runtime / _NAME


def find_socket() -> Path:
    """Return where a client finds a daemon: the user's own, else the system's if there is one.

    A socket in a folder that this user may not look into counts as there: connecting to it says
    what is wrong.
    """
    own = default_socket()
    return own if _there(own) or not _there(_SYSTEM) else _SYSTEM


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        return True


def parse_address(socket: str | Path | None) -> Address:
    """Return what a client connects to.

    `socket` is a path, `tcp://host:port`, or None for the daemon on this machine.

    Raises:
        EventsError: it is a TCP address without a port.

    """
    if socket is None:
        return find_socket()
    if not str(socket).startswith("tcp://"):
        return Path(socket)
    host, _, port = str(socket).removeprefix("tcp://").rpartition(":")
    if not host or not port.isdecimal():
        raise EventsError(f"{socket} is no address: it is written tcp://host:port")
    return host.strip("[]"), int(port)
