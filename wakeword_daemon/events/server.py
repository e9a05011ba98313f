"""The event socket: sends what the daemon hears to every connected program."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING

from msgspec.structs import replace

from wakeword_daemon.events.history import History
from wakeword_daemon.events.peers import admitted, peer_name, tune
from wakeword_daemon.events.protocol import Error, Info, Status, Subscriber
from wakeword_daemon.events.session import READ_SIZE, Limits, ServerContext, Session
from wakeword_daemon.events.sockets import ListeningSocket, Tcp, adopt, listen_tcp, listen_unix

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wakeword_daemon.events.audio import AudioFeed
    from wakeword_daemon.events.control import Control
    from wakeword_daemon.events.history import PublishedT
    from wakeword_daemon.events.protocol import Telemetry

logger = logging.getLogger(__name__)

_ACCEPT_PAUSE = 1.0  # seconds before the next try when there is no free file descriptor


class EventServer:
    """Listens on a unix socket, and on TCP if it is configured, and publishes events to all peers.

    Delivery: a peer gets every event that is published while it is connected, once and in order.
    Nobody waits for it: if more events are queued for it than `limits` allow, or it reads nothing
    for `limits.stall` seconds, it is disconnected with a line in the log. When it comes back, it
    asks for what it missed (`Subscribe`).

    All methods belong to the event loop's thread.

    Args:
        info: returns the current words and state; called for each `info` that is sent.
        status: returns the daemon's status; called for each `status` that is sent. The server adds
            the numbering to both, and the subscribers.
        unix: the socket's path, or a unix socket that already listens (socket activation).
        group: name of a group whose members may connect too.
        tcp: TCP address to listen on too; None for none.
        audio: source of the audio that peers may ask for; None for none.
        control: what clients can ask the daemon to change; None for nothing.
        on_watched: called with whether anybody watches, each time that changes.
        limits: what one peer may cost; None for the defaults.

    """

    def __init__(
        self,
        *,
        info: Callable[[], Info],
        status: Callable[[], Status],
        unix: Path | socket.socket,
        group: str | None = None,
        tcp: Tcp | None = None,
        audio: AudioFeed | None = None,
        control: Control | None = None,
        on_watched: Callable[[bool], None] | None = None,
        limits: Limits | None = None,
    ) -> None:
        limits = limits or Limits()
        self._context = ServerContext(
            self._numbered_info,
            self._whole_status,
            audio,
            History(limits.history),
            limits,
            control,
            self._count_watchers,
        )
        self._on_watched = on_watched
        self._watched = False
        self._info = info
        self._status = status
        self._unix = unix
        self._group = group
        self._tcp = tcp
        self._listeners: list[ListeningSocket] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._connections: dict[asyncio.Task[None], ListeningSocket] = {}
        self._sessions: set[Session] = set()
        self._logged: set[str] = set()  # reasons of refusals that are already in the log

    @property
    def start_id(self) -> str:
        """Name of this run, as events carry it."""
        return self._context.history.start_id

    @property
    def sequence(self) -> int:
        """Number of the latest event; 0 before the first."""
        return self._context.history.sequence

    @property
    def subscribers(self) -> list[Subscriber]:
        """The connected peers."""
        return [
            Subscriber(
                peer=session.peer,
                words=None if session.words is None else sorted(session.words),
                queued=session.queued,
            )
            for session in self._sessions
        ]

    @property
    def addresses(self) -> list[str]:
        """The addresses that clients may use: a path, or `tcp://host:port`."""
        return [listener.address for listener in self._listeners]

    async def start(self) -> None:
        """Open the sockets and accept peers.

        Raises:
            EventsError: a socket cannot be opened; then all are closed again.

        """
        try:
            if isinstance(self._unix, socket.socket):
                self._listeners.append(adopt(self._unix, self._group))
            else:
                self._listeners.append(listen_unix(self._unix, self._group))
            if self._tcp is not None:
                self._listeners += listen_tcp(self._tcp)
        except BaseException:
            self._close_listeners()
            raise
        for listener in self._listeners:
            listener.socket.setblocking(False)
            self._accepting.append(asyncio.create_task(self._accept(listener)))
        logger.info("events are sent on %s", ", ".join(self.addresses))

    def load_history(self, path: Path) -> None:
        """Go on with the numbers and events of the run before; before the first event."""
        self._context.history.load(path)

    def save_history(self, path: Path) -> None:
        """Write the events down for the next run."""
        self._context.history.save(path)

    def publish(self, event: PublishedT) -> PublishedT:
        """Give an event its number, queue it for every peer, and remember it; never waits.

        Returns:
            the event with its number, as it is sent.

        """
        event = self._context.history.number(event)
        entry = self._context.history.append(event)
        for session in self._sessions:
            session.offer(entry)
        return event

    def show(self, telemetry: Telemetry) -> None:
        """Send telemetry to every peer that watches, if it reads; never waits."""
        line = telemetry.line()
        for session in self._sessions:
            if session.watching:
                session.show(line)

    async def stop(self, grace: float = 0.5) -> None:
        """Accept no more peers, and close once all queues are sent, or after `grace` seconds."""
        for task in self._accepting:
            task.cancel()
        await asyncio.gather(*self._accepting, return_exceptions=True)
        self._close_listeners()
        for session in self._sessions:
            session.finish()
        if self._connections:
            await asyncio.wait(self._connections, timeout=grace)
        for session in self._sessions:
            session.abort()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _numbered_info(self) -> Info:
        return replace(self._info(), sequence=self.sequence, start_id=self.start_id)

    def _whole_status(self) -> Status:
        return replace(
            self._status(),
            subscribers=self.subscribers,
            sequence=self.sequence,
            start_id=self.start_id,
        )

    def _count_watchers(self) -> None:
        watched = any(session.watching for session in self._sessions)
        if watched != self._watched:
            self._watched = watched
            if self._on_watched is not None:
                self._on_watched(watched)

    def _close_listeners(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()

    async def _accept(self, listener: ListeningSocket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listener.socket)
            except OSError as error:  # most likely there is no free file descriptor
                self._log_once("accept", f"cannot accept a connection: {error.strerror}")
                await asyncio.sleep(_ACCEPT_PAUSE)
                continue
            try:
                self._admit(connection, listener)
            except OSError as error:
                logger.debug("a peer left while it was accepted: %s", error)
                connection.close()
            await asyncio.sleep(0)  # let other tasks run during a flood of connections

    def _admit(self, connection: socket.socket, listener: ListeningSocket) -> None:
        refusal = self._refusal(connection, listener)
        if refusal is not None:
            self._log_once(refusal.text, f"refused {peer_name(connection)}: {refusal.text}")
            connection.send(refusal.line())
            connection.close()
            return
        self._logged.clear()
        tune(connection)
        task = asyncio.create_task(self._serve(connection, peer_name(connection), listener.token))
        self._connections[task] = listener
        task.add_done_callback(self._forget)

    def _refusal(self, connection: socket.socket, listener: ListeningSocket) -> Error | None:
        if not admitted(connection, listener.group):
            return Error(text="this socket belongs to another user", code="forbidden")
        if list(self._connections.values()).count(listener) >= self._context.limits.connections:
            return Error(text="too many connections; try again later", code="busy")
        return None

    def _log_once(self, reason: str, text: str) -> None:
        # Once until a peer is accepted again: a flood of connections must not flood the log.
        if reason not in self._logged:
            self._logged.add(reason)
            logger.warning("%s", text)

    async def _serve(self, connection: socket.socket, peer: str, token: str | None) -> None:
        reader, writer = await asyncio.open_connection(sock=connection, limit=READ_SIZE)
        session = Session(
            self._context,
            reader,
            writer,
            peer=peer,
            token=token,
            may_control=connection.family == socket.AF_UNIX,
        )
        self._sessions.add(session)
        try:
            await session.run()
        finally:
            self._sessions.discard(session)

    def _forget(self, task: asyncio.Task[None]) -> None:
        del self._connections[task]
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, MemoryError):
            self._log_once("memory", "there is no memory left for a connection")
        else:
            logger.error("a connection failed", exc_info=error)
