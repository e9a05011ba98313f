"""A room's socket: what comes on it goes to the room, and its answers go back."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from wakeword_daemon.events.framing import FrameDecoder, ProtocolError
from wakeword_daemon.events.peers import peer_name, tune
from wakeword_daemon.events.protocol import Error
from wakeword_daemon.rooms.addresses import may_connect
from wakeword_daemon.rooms.pace import Pace
from wakeword_daemon.rooms.room import Room

if TYPE_CHECKING:
    import socket

    from wakeword_daemon.rooms.detectors import Detectors
    from wakeword_daemon.rooms.nearest import Nearest

logger = logging.getLogger(__name__)

READ_SIZE = 16 * 1024
"""Bytes taken from one room before it is another one's turn: half a second of 16 kHz audio."""
_LEAST = 0.001
"""Seconds of audio that a frame counts for, however little there is in it."""
_UNREAD = 64 * 1024
"""Bytes of answers that may wait for a room before nothing more is read from it."""


@dataclass(frozen=True)
class RoomLimits:
    """What one peer may cost."""

    connections: int = 10_000
    frame: float = 10.0
    """Seconds that a frame may take from its first byte to its last."""
    stall: float = 10.0
    """Seconds that a room may leave its answers unread."""


class Connection(asyncio.BufferedProtocol):
    """One room's connection, until either side ends it.

    All connections read into one buffer, `shared`: what was read is heard before the next read,
    wherever it comes from. While a connection is open, it is in `connections`.
    """

    def __init__(
        self,
        detectors: Detectors,
        limits: RoomLimits,
        shared: bytearray,
        connections: set[Connection],
        nearest: Nearest | None = None,
    ) -> None:
        self._limits = limits
        self._shared = shared
        self._view = memoryview(shared)
        self._connections = connections
        self._decoder = FrameDecoder()
        self._seat = None if nearest is None else nearest.seat(self._tell)
        self._room = Room(detectors, self._seat)
        self._loop = asyncio.get_running_loop()
        self._pace = Pace(self._loop.time())
        self._held: asyncio.TimerHandle | None = None  # until then it is ahead of real time
        self._unread = False
        self._frame_since: float | None = None
        self._unread_since: float | None = None
        self._transport: asyncio.Transport

    @property
    def peer(self) -> str:
        """Name of the peer, for the log; looked up only when it is logged."""
        return peer_name(cast("socket.socket", self._transport.get_extra_info("socket")))

    @property
    def idle(self) -> bool:
        """Whether it is between two streams of audio and two frames."""
        return not self._room.streaming and not self._decoder.incomplete

    # Called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection up, or say why not and end it."""
        self._transport = cast("asyncio.Transport", transport)
        connection = cast("socket.socket", transport.get_extra_info("socket"))
        if not may_connect(connection):
            self._close(ProtocolError("forbidden", "only this user, or a private network, may"))
        elif len(self._connections) >= self._limits.connections:
            self._close(ProtocolError("busy", "too many connections; try again later"))
        else:
            tune(connection)
            self._transport.set_write_buffer_limits(high=_UNREAD)
            self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's signature
        """Forget the connection."""
        if self._held is not None:
            self._held.cancel()
        if self._seat is not None:
            self._seat.leave()
        self._connections.discard(self)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 -- asyncio's signature
        """Return where to read to."""
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        """Hear what was read."""
        room, decoder = self._room, self._decoder
        before, frames = room.seconds, 0
        decoder.feed(self._shared, nbytes)
        try:
            while True:
                answer = b""
                try:
                    frame = decoder.next_frame()
                    if frame is None:
                        break
                    answer = room.take(frame)
                except ProtocolError as error:
                    if error.fatal:
                        raise
                    answer = Error(text=str(error), code=error.code).line()
                frames += 1
                if answer:
                    self._transport.write(answer)
        except ProtocolError as error:
            self._close(error)
            return
        now = self._loop.time()
        if not decoder.incomplete:
            self._frame_since = None
        elif frames or self._frame_since is None:
            self._frame_since = now
        seconds, least = room.seconds - before, frames * _LEAST
        wait = self._pace.spend(seconds if seconds > least else least, now)
        if wait > 0:
            self._hold(wait)

    def pause_writing(self) -> None:
        """Stop reading from a room that does not read."""
        self._unread = True
        self._unread_since = self._loop.time()
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self._unread = False
        self._unread_since = None
        self._read_on()

    # Called by the server

    def check(self, now: float) -> None:
        """End the connection if its peer takes too long."""
        if self._unread_since is not None and now - self._unread_since > self._limits.stall:
            logger.warning("dropped %s: it does not read its answers", self.peer)
            self._transport.abort()
        elif self._frame_since is not None and now - self._frame_since > self._limits.frame:
            limit = self._limits.frame
            self._close(ProtocolError("timeout", f"no whole event came within {limit:g} s"))

    def close(self) -> None:
        """Close once the answers are sent."""
        self._unread_since = self._unread_since or self._loop.time()
        self._frame_since = None
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def _tell(self, line: bytes) -> bool:
        """Send a line that answers nothing; return whether anybody is there to read it."""
        if self._transport.is_closing():
            return False
        self._transport.write(line)
        return True

    def _close(self, error: ProtocolError) -> None:
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("closing the connection of %s: %s", self.peer, error)
        self._transport.write(Error(text=str(error), code=error.code).line())
        self.close()

    def _hold(self, seconds: float) -> None:
        self._frame_since = None
        self._transport.pause_reading()
        if self._held is not None:
            self._held.cancel()
        self._held = self._loop.call_later(seconds, self._let_go)

    def _let_go(self) -> None:
        self._held = None
        if self._decoder.incomplete:
            self._frame_since = self._loop.time()
        self._read_on()

    def _read_on(self) -> None:
        if not self._unread and self._held is None and not self._transport.is_closing():
            self._transport.resume_reading()
