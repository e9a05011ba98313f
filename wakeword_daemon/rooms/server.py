"""The wake service: a room on every connection."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
from typing import TYPE_CHECKING

from wakeword_daemon.events import sockets
from wakeword_daemon.rooms import addresses
from wakeword_daemon.rooms.announcement import Announcement
from wakeword_daemon.rooms.connection import READ_SIZE, Connection, RoomLimits
from wakeword_daemon.rooms.nearest import Nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wakeword_daemon.events.connection import Address
    from wakeword_daemon.events.sockets import ListeningSocket
    from wakeword_daemon.rooms.detectors import Detectors

logger = logging.getLogger(__name__)

_TICK = 1.0
"""Seconds between two checks for connections that take too long."""
_AT_ONCE = 8
"""Connections that are accepted before the rooms are served again."""
_PAUSE = 0.02
"""Seconds between two checks for connections that should end."""
_GRACE = 0.3
"""Seconds that the last answers may take to be sent."""


class RoomServer:
    """Serves rooms on the running event loop from `start` to `stop`.

    `detectors` may be replaced at any time; open connections keep theirs.

    Args:
        detectors: the words.
        limits: what one peer may cost.
        nearest: for how many seconds a room that hears a word waits for others that hear it louder;
            None to let every room fire.

    """

    def __init__(
        self, detectors: Detectors, limits: RoomLimits | None = None, nearest: float | None = None
    ) -> None:
        self.detectors = detectors
        self._nearest = None if nearest is None else Nearest(nearest)
        self._limits = limits or RoomLimits()
        self._connections: set[Connection] = set()
        self._shared = bytearray(READ_SIZE)
        self._listeners: list[ListeningSocket] = []
        self._accepting: list[asyncio.Server] = []
        self._checking: asyncio.Task[None] | None = None
        self._announcement: Announcement | None = None

    @property
    def addresses(self) -> list[str]:
        """Where it listens: paths, and `tcp://host:port`."""
        return [listener.address for listener in self._listeners]

    @property
    def connections(self) -> int:
        """How many rooms are connected."""
        return len(self._connections)

    async def start(
        self, where: Sequence[Address], *, allow_lan: bool = False, zeroconf: str | None = None
    ) -> None:
        """Listen on all of these.

        Args:
            where: the addresses.
            allow_lan: whether they may be other ones than loopback.
            zeroconf: the name to announce the service under, empty for the machine's; None for no
                announcement.

        Raises:
            EventsError: the service cannot listen on one of them, or announces an address that no
                other machine can reach.
            WakewordError: the package zeroconf is not installed.

        """
        _allow_many_files()
        loop = asyncio.get_running_loop()
        try:
            for address in where:
                self._listeners += addresses.listen(address, allow_lan=allow_lan)
            if zeroconf is not None:
                names = [listener.socket.getsockname() for listener in self._listeners]
                tcp = [name for name in names if isinstance(name, tuple)]
                hosts = [host for host, port, *_ in tcp if port == tcp[0][1]]
                self._announcement = Announcement(hosts, tcp[0][1] if tcp else 0, zeroconf)
        except BaseException:
            sockets.close(self._listeners)
            raise
        for listener in self._listeners:
            # asyncio accepts up to `backlog` connections at a time. With a small number, a flood of
            # connections takes turns with the rooms; the kernel's own queue is longer.
            self._accepting.append(
                await loop.create_server(self._connection, sock=listener.socket, backlog=_AT_ONCE)
            )
            listener.socket.listen(addresses.backlog(listener.socket))
        self._checking = asyncio.create_task(self._check())

    async def stop(self, drain: float = 0.0) -> None:
        """Accept no more connections, and close every open one.

        A room that streams is served until its audio ends, `drain` seconds at most.
        """
        if self._announcement is not None:
            await self._announcement.end()
        # What asyncio has accepted becomes a connection one turn later, unless the server is closed
        # by then. Such a peer would wait until this process ends.
        for listener in self._listeners:
            asyncio.get_running_loop().remove_reader(listener.socket)
        await asyncio.sleep(0)
        for server in self._accepting:
            server.close()
        sockets.close(self._listeners)
        await self._wait_until_all_left(drain, lambda connection: connection.idle)
        await self._wait_until_all_left(_GRACE, lambda _: True)
        for connection in list(self._connections):
            connection.abort()
        if self._checking is not None:
            self._checking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._checking

    async def _wait_until_all_left(self, limit: float, over: Callable[[Connection], bool]) -> None:
        """Close the connections that are over, for `limit` seconds at most."""
        loop = asyncio.get_running_loop()
        end = loop.time() + limit
        while self._connections and loop.time() < end:
            for connection in list(self._connections):
                if over(connection):
                    connection.close()
            await asyncio.sleep(_PAUSE)

    def _connection(self) -> Connection:
        return Connection(
            self.detectors, self._limits, self._shared, self._connections, self._nearest
        )

    async def _check(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_TICK)
            now = loop.time()
            for connection in list(self._connections):
                connection.check(now)


def _allow_many_files() -> None:
    """Raise the soft limit of open files, 1024 on most machines, to what this user may have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
