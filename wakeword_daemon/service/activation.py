"""The socket that the service manager opened for us: sd_listen_fds(3)."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from wakeword_daemon.errors import EventsError

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIRST = 3


def listening_socket(environ: Mapping[str, str] = os.environ) -> socket.socket | None:
    """Return the socket passed to this process, or None if it was started without one.

    Raises:
        EventsError: more than one was passed.

    """
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    count = int(environ.get("LISTEN_FDS", "0"))
    if count > 1:
        raise EventsError(f"{count} sockets were passed to the daemon; it takes one ListenStream=")
    if count == 0:
        return None
    os.set_inheritable(_FIRST, False)
    return socket.socket(fileno=_FIRST)
