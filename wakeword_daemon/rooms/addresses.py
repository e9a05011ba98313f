"""Where the wake service listens, and who may connect there."""

from __future__ import annotations

import ipaddress
import logging
import os
import socket
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from wakeword_daemon.errors import ConfigError, EventsError
from wakeword_daemon.events.peers import admitted
from wakeword_daemon.events.sockets import ListeningSocket, listen_on_host, listen_unix

if TYPE_CHECKING:
    from wakeword_daemon.events.connection import Address

logger = logging.getLogger(__name__)

PORT = 10_400
"""Wyoming's usual port of a wake service."""
STDIO = "stdio://"
_BACKLOG = 1024
"""Connections that may wait on TCP. All rooms may come back at once, and one that finds the queue
full tries again only after a second. But a new room waits behind the whole queue: behind a program
that connects in a row on a busy machine it waited 3 s with 4,096 places and less than one with
1,024, and 3,000 rooms at once were back no sooner."""
_UNIX_BACKLOG = 64
"""Connections that may wait on a unix socket, where the next one sleeps until there is room. So
no client waits behind more than that, however often another program connects."""
_LAST_PORT = 65_535


def parse_uri(uri: str) -> Address:
    """Return the address that `tcp://HOST:PORT` or `unix://PATH` means.

    Raises:
        ConfigError: it is neither.

    """
    scheme, _, rest = uri.partition("://")
    if scheme == "unix" and rest:
        return Path(os.path.expanduser(rest))  # noqa: PTH111 - keeps an unknown ~user
    host, _, port = rest.rpartition(":")
    number = int(port) if port.isdecimal() and len(port) <= len(str(_LAST_PORT)) else None
    if scheme != "tcp" or not host or number is None or number > _LAST_PORT:
        raise ConfigError(
            f"{uri!r} is not an address to serve on: write tcp://0.0.0.0:{PORT}, unix:///PATH"
            f" or {STDIO}"
        )
    return host.strip("[]"), number


def listen(address: Address, *, allow_lan: bool) -> list[ListeningSocket]:
    """Listen on a unix socket, or on every address of the host.

    Raises:
        EventsError: the address is unknown or taken, or not loopback while `allow_lan` is false.

    """
    if isinstance(address, Path):
        return [listen_unix(address)]
    host, port = address
    listeners = listen_on_host(host, port, lambda own: _check(own, allow_lan=allow_lan), _BACKLOG)
    for listener in listeners:
        if not _ip(listener.socket.getsockname()[0]).is_loopback:
            logger.warning(
                "the wake service on %s is open: every machine on the private network can use it"
                " without a password",
                listener.address,
            )
    return listeners


def backlog(listening: socket.socket) -> int:
    """Return how many connects may wait to be taken up."""
    return _UNIX_BACKLOG if listening.family == socket.AF_UNIX else _BACKLOG


def may_connect(connection: socket.socket) -> bool:
    """Whether the peer may be served: this user or root on a unix socket, else a private address.

    Private are all addresses that are not reachable from the whole internet: loopback and
    link-local ones, those of RFC 1918 and 4193, and those that providers and overlay networks share
    (RFC 6598).
    """
    if connection.family == socket.AF_UNIX:
        return admitted(connection, None)
    return _is_private(connection.getpeername()[0])


@lru_cache(maxsize=1024)  # all rooms may come back at once
def _is_private(host: str) -> bool:
    return not _ip(host).is_global


def _check(host: str, *, allow_lan: bool) -> None:
    address = _ip(host)
    if address.is_loopback:
        return
    if address.is_global:
        raise EventsError(
            f"{host} is an address of the whole internet, and a wake service has no password:"
            " serve on an address of a private network"
        )
    if not allow_lan:
        raise EventsError(
            f"listening on {host} lets everyone on the network use the wake service: say"
            " --allow-lan (in a config, `allow_lan: true`) if you want that, or listen on 127.0.0.1"
        )


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(host.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
