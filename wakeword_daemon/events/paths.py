"""Where the event socket is."""

from __future__ import annotations

from pathlib import Path

from wakeword_daemon import xdg
from wakeword_daemon.errors import EventsError

_NAME = Path("wakeword/events.sock")
_SYSTEM = Path("/run") / _NAME


def default_socket() -> Path:
    """Return where a daemon of this user listens: in the user's runtime folder, else below /run."""
    runtime = xdg.runtime_folder()
    return _SYSTEM if runtime is None else runtime / _NAME


def find_socket() -> Path:
    """Return where a client finds a daemon: the user's own, else the system's if there is one."""
    own = default_socket()
    return _SYSTEM if not own.exists() and _SYSTEM.exists() else own


def parse_address(socket: str | Path | None) -> Path | tuple[str, int]:
    """Return what a client connects to: a unix socket's path, or host and port.

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
