"""Opens the sockets that the daemon listens on."""

from __future__ import annotations

import contextlib
import fcntl
import grp
import os
import socket
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wakeword_daemon.errors import EventsError, cannot_listen
from wakeword_daemon.events.peers import peer_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BACKLOG = 128
_SERVICE_MANAGER = "systemd"  # systemd's process name, as PID 1 and as a user's manager
_LOCK_TRIES = 100
_LOCK_PAUSE = 0.02  # seconds between two tries


@dataclass(frozen=True)
class Tcp:
    """A TCP address to listen on, and the token that a peer must know.

    Without a token only a loopback address is accepted. The token travels in the clear.
    """

    port: int
    host: str = "127.0.0.1"
    token: str | None = None


@dataclass(frozen=True, eq=False)
class ListeningSocket:
    """A listening socket, and the rules for peers that connect to it."""

    socket: socket.socket
    token: str | None = None
    group: int | None = None
    file: tuple[Path, int] | None = None
    """Path and inode of the socket file, if this process removes it."""

    @property
    def address(self) -> str:
        """The socket's path, or `tcp://host:port`."""
        name = self.socket.getsockname()
        if self.socket.family == socket.AF_UNIX:
            return str(name)
        host, port = name[:2]
        return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"

    def close(self) -> None:
        """Stop listening, and remove the socket file unless another has taken its place."""
        self.socket.close()
        if self.file is not None:
            path, inode = self.file
            with contextlib.suppress(FileNotFoundError):
                if path.lstat().st_ino == inode:
                    path.unlink()


def listen_unix(path: Path, group: str | None = None) -> ListeningSocket:
    """Listen on a unix socket that only this user may open, or also `group` if one is given.

    A missing folder is made, with mode 0700 (0750 for a group); the socket has mode 0600 (0660). A
    socket file that no process listens on is replaced.

    Raises:
        EventsError: another process listens there, the path is something else or cannot be written
            to, or there is no such group.

    """
    gid = None if group is None else _group_id(group)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _make_folder(path.parent, gid)
        with _locked(path.parent):
            _remove_stale(path)
            # The file gets the mode that the socket has before it is bound, so it is never wider.
            os.fchmod(listening.fileno(), 0o600)
            listening.bind(str(path))
            listening.listen(_BACKLOG)
        if gid is not None:
            os.chown(path, -1, gid)
            path.chmod(0o660)
        return ListeningSocket(listening, group=gid, file=(path, path.lstat().st_ino))
    except OSError as error:
        listening.close()
        reason = error.strerror or str(error)  # a path that is too long has no errno
        raise EventsError(f"cannot listen on {path}: {reason}") from error
    except EventsError:
        listening.close()
        raise


def listen_tcp(tcp: Tcp) -> list[ListeningSocket]:
    """Listen on every address of `tcp.host`.

    Raises:
        EventsError: an address is unknown or in use, or not loopback although there is no token.

    """
    token = tcp.token or None
    return listen_on_host(
        tcp.host, tcp.port, lambda own: _require_token(own, token), _BACKLOG, token
    )


def listen_on_host(
    host: str, port: int, check: Callable[[str], None], backlog: int, token: str | None = None
) -> list[ListeningSocket]:
    """Listen on every address of a host, or on none of them.

    Args:
        host: its name or address.
        port: the TCP port.
        check: raises EventsError for an address that is not to be listened on.
        backlog: connections that may wait to be accepted.
        token: what a peer must know; None for nothing.

    Raises:
        EventsError: an address is unknown, in use or refused by `check`.

    """
    listeners: list[ListeningSocket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for family, _, _, _, address in found:
            check(str(address[0]))
            listening = socket.create_server(address[:2], family=family, backlog=backlog)
            listeners.append(ListeningSocket(listening, token=token))
    except OSError as error:
        close(listeners)
        raise cannot_listen("listen", host, port, error) from error
    except EventsError:
        close(listeners)
        raise
    return listeners


def close(listeners: list[ListeningSocket]) -> None:
    """Stop listening on all of them."""
    for listener in listeners:
        listener.close()


def adopt(listening: socket.socket, group: str | None = None) -> ListeningSocket:
    """Use a unix socket that already listens (socket activation); its file is not removed.

    Raises:
        EventsError: the socket is of another kind, or there is no such group.

    """
    if listening.family != socket.AF_UNIX or not listening.getsockopt(
        socket.SOL_SOCKET, socket.SO_ACCEPTCONN
    ):
        raise EventsError("the socket passed to the daemon is not a listening unix stream socket")
    return ListeningSocket(listening, group=None if group is None else _group_id(group))


def _group_id(group: str) -> int:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise EventsError(f"there is no group {group!r} to share the socket with") from None


def _make_folder(folder: Path, gid: int | None) -> None:
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):  # another daemon is starting at the same time
        folder.mkdir(mode=0o700)
        if gid is not None:
            os.chown(folder, -1, gid)
            folder.chmod(0o750)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Prevent two daemons that start at once from both replacing a stale socket."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for attempt in range(_LOCK_TRIES):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if attempt == _LOCK_TRIES - 1:
                    raise
                time.sleep(_LOCK_PAUSE)
        yield
    finally:
        os.close(handle)


def _remove_stale(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        raise EventsError(f"{path} is a folder; choose a path inside it for the socket")
    if not stat.S_ISSOCK(mode):
        raise EventsError(f"{path} is a file and not a socket; move it away or choose another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:  # a daemon is there, with a full backlog
            owner = "another process"
        else:
            owner = peer_name(probe)
    if owner.endswith(f"({_SERVICE_MANAGER})"):
        raise EventsError(
            f"systemd listens on {path} for the service: stop it first with"
            " `systemctl --user stop wakeword.socket` (without --user for a service of the"
            " machine), or choose another path"
        )
    raise EventsError(f"{owner} already listens on {path}: end it or choose another path")


def _require_token(host: str, token: str | None) -> None:
    import ipaddress  # noqa: PLC0415 -- most daemons do not listen on TCP

    if not token and not ipaddress.ip_address(host.partition("%")[0]).is_loopback:
        raise EventsError(
            f"the whole network can reach {host}: set a token, or listen on 127.0.0.1"
        )
