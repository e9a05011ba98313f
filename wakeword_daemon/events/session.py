"""One connection: its requests, their answers, and the events queued for it."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from wakeword_daemon.events.audio import AudioFeed, AudioStream
from wakeword_daemon.events.control import REQUESTS, Control, carry_out
from wakeword_daemon.events.framing import Frame, FrameDecoder, ProtocolError
from wakeword_daemon.events.history import Entry, History
from wakeword_daemon.events.protocol import (
    Authenticate,
    Detect,
    Detection,
    Error,
    Info,
    Ping,
    Pong,
    Published,
    Status,
    Subscribe,
    Watch,
    Watching,
)
from wakeword_daemon.events.vocabulary import find_words

logger = logging.getLogger(__name__)

READ_SIZE = 16 * 1024

_POLL = 0.08
"""Seconds between two checks for more audio, for a peer that receives audio: one hop."""


@dataclass(frozen=True)
class Limits:
    """What one peer may cost; times in seconds."""

    connections: int = 64
    """Peers of each listening socket, so that the network cannot crowd out this machine."""
    history: int = 256
    """Recent events that are kept for subscribers that come back."""
    queue: int = 256
    """Events, beyond a replay of `history`, that may be queued for one subscriber before it is
    disconnected."""
    stall: float = 10.0
    """How long a peer may read nothing of what was sent to it before it is disconnected."""
    request: float = 10.0
    """How long a frame may take from its first byte to its last, and a peer to authenticate."""
    telemetry: int = 8
    """Batches of telemetry held for a peer that reads too slowly; then the oldest are dropped."""


@dataclass(frozen=True)
class ServerContext:
    """What all connections of a server use."""

    info: Callable[[], Info]
    status: Callable[[], Status]
    audio: AudioFeed | None
    history: History
    limits: Limits
    control: Control | None
    on_watch: Callable[[], None]
    """Called when a peer begins or ends to watch."""


class Session:
    """One connection, until either side ends it.

    It has two tasks. One answers requests in order, and waits until each answer is sent; the other
    sends the published events that `offer` queued. Publishing waits for neither.
    """

    def __init__(
        self,
        context: ServerContext,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        peer: str,
        token: str | None,
        may_control: bool,
    ) -> None:
        self.peer = peer
        self.watching = False
        self.words: frozenset[str] | None = None
        """Names of the words whose detections this peer gets; None for all."""
        self._context = context
        self._reader = reader
        self._writer = writer
        # What the kernel does not take stays in the queue here, where it is counted.
        writer.transport.set_write_buffer_limits(high=0)
        self._token = token
        self._admitted = token is None
        self._decoder = FrameDecoder()
        self._deadline: float | None = None
        self._pending: deque[Entry] = deque()
        self._telemetry: deque[bytes] = deque(maxlen=context.limits.telemetry)
        self._may_control = may_control
        self._something_pending = asyncio.Event()
        self._wish = Subscribe()
        self._live_from = 0  # number of the last event that is sent without audio
        self._audio: AudioStream | None = None
        self._finishing = False

    @property
    def queued(self) -> int:
        """Number of events that wait to be sent to this peer."""
        return len(self._pending)

    async def run(self) -> None:
        """Serve the peer until it leaves, fails or is disconnected."""
        sender = asyncio.create_task(self._send_pending())
        try:
            await self._serve()
        except ProtocolError as error:
            logger.debug("closing the connection of %s: %s", self.peer, error)
            if not self._writer.is_closing():
                self._writer.write(Error(text=str(error), code=error.code).line())
        except OSError as error:
            logger.debug("lost the connection of %s: %s", self.peer, error)
        finally:
            self._watch(on=False)
            sender.cancel()
            self._writer.close()
            try:
                async with asyncio.timeout(self._context.limits.stall):
                    with contextlib.suppress(OSError):
                        await self._writer.wait_closed()
            except TimeoutError:
                self._writer.transport.abort()

    def offer(self, entry: Entry) -> None:
        """Queue a published event; never waits."""
        if not self._admitted or self._writer.is_closing() or not self._wants(entry):
            return
        limits = self._context.limits
        if len(self._pending) >= limits.history + limits.queue:  # a replay may fill part of it
            self._drop(f"{len(self._pending)} events wait and it does not read")
            return
        self._pending.append(entry)
        self._something_pending.set()

    def show(self, telemetry: bytes) -> None:
        """Queue a line of telemetry, in place of the oldest if there are too many; never waits."""
        self._telemetry.append(telemetry)
        self._something_pending.set()

    def finish(self) -> None:
        """Close the connection once all queued events are sent."""
        self._finishing = True
        self._something_pending.set()

    def abort(self) -> None:
        """Close the connection at once."""
        self._writer.transport.abort()

    def _wants(self, entry: Entry) -> bool:
        return (
            self.words is None
            or not isinstance(entry.event, Detection)
            or entry.event.name in self.words
        )

    def _drop(self, reason: str) -> None:
        if not self._writer.is_closing():
            logger.warning("disconnected subscriber %s: %s", self.peer, reason)
            self._writer.transport.abort()

    async def _send(self, line: bytes) -> None:
        if self._writer.is_closing():
            raise ConnectionResetError("the connection is closed")
        self._writer.write(line)
        try:
            async with asyncio.timeout(self._context.limits.stall):
                await self._writer.drain()
        except TimeoutError:
            self._drop(f"it has not read for {self._context.limits.stall:g} s")
            raise ConnectionResetError("dropped") from None

    async def _send_pending(self) -> None:
        with contextlib.suppress(OSError):  # the peer left, which the reading task notices too
            while self._pending or not self._finishing:
                if self._pending:
                    entry = self._pending.popleft()
                    await self._send(entry.line)
                    await self._begin_audio(entry.event)
                elif self._telemetry:
                    await self._send(self._telemetry.popleft())
                else:
                    await self._send_audio()
                    await self._wait_for_something()
            self._writer.close()

    async def _begin_audio(self, event: Published) -> None:
        """Send the audio of a detection from here on, if it was requested."""
        feed = self._context.audio
        if (
            feed is None
            or self._wish.audio != "after"
            or not isinstance(event, Detection)
            or event.sequence <= self._live_from
        ):
            return
        if self._audio is not None:
            await self._send(self._audio.end("detection"))
        self._audio = AudioStream(feed, self._wish, (event.sequence, event.sample))

    async def _send_audio(self) -> None:
        """Send the audio that is there; events go first."""
        audio = self._audio
        if audio is None:
            return
        for frame in audio.frames():
            await self._send(frame)
            if self._pending or self._audio is not audio:
                return
        if audio.ended:
            self._audio = None

    async def _wait_for_something(self) -> None:
        """Wait until an event is queued, or more audio may be there."""
        if self._pending or self._telemetry or self._finishing:
            return
        self._something_pending.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if self._audio is None else _POLL):
                await self._something_pending.wait()

    async def _serve(self) -> None:
        if not self._admitted:
            self._deadline = self._request_deadline()
        while received := await self._read():
            self._decoder.feed(received)
            answered = await self._answer_frames()
            if not self._admitted:
                continue
            if not self._decoder.incomplete:
                self._deadline = None
            elif answered or self._deadline is None:
                self._deadline = self._request_deadline()

    def _request_deadline(self) -> float:
        return asyncio.get_running_loop().time() + self._context.limits.request

    async def _read(self) -> bytes:
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._reader.read(READ_SIZE)
        except TimeoutError:
            limit = self._context.limits.request
            raise ProtocolError("timeout", f"no whole event came within {limit:g} s") from None

    async def _answer_frames(self) -> bool:
        """Answer every complete frame; return whether there was one."""
        answered = False
        while True:
            try:
                frame = self._decoder.next_frame()
                if frame is None:
                    return answered
                await self._answer(frame)
            except ProtocolError as error:
                if error.fatal or not self._admitted:
                    raise
                await self._send(Error(text=str(error), code=error.code).line())
            answered = True
            await asyncio.sleep(0)  # let other tasks run during a flood of requests

    async def _answer(self, frame: Frame) -> None:
        if not self._admitted:
            self._authenticate(frame)
            return
        match frame.type:
            case "describe":
                await self._send(self._context.info().line())
            case "status":
                await self._send(self._context.status().line())
            case "ping":
                await self._send(Pong(text=Ping.from_frame(frame).text).line())
            case "detect":
                self._choose_words(Detect.from_frame(frame).names)
            case "subscribe":
                await self._subscribe(Subscribe.from_frame(frame))
            case "watch":
                self._watch(on=Watch.from_frame(frame).on)
                await self._send(Watching(on=self.watching).line())
            case kind if kind in REQUESTS:
                answer = await carry_out(self._context.control, frame, allowed=self._may_control)
                await self._send(answer.line())
            case "authenticate":
                pass  # a client may send a token although none is needed
            case _:
                raise _unknown(frame.type)

    def _watch(self, *, on: bool) -> None:
        if on != self.watching:
            self.watching = on
            self._telemetry.clear()
            self._context.on_watch()

    def _authenticate(self, frame: Frame) -> None:
        if frame.type != Authenticate.kind:
            raise ProtocolError("unauthorized", "send an authenticate event with the token first")
        given = Authenticate.from_frame(frame).token
        if not hmac.compare_digest(given.encode(), (self._token or "").encode()):
            raise ProtocolError("unauthorized", "the token is wrong")
        self._deadline = None
        self._admitted = True

    def _choose_words(self, names: list[str] | None) -> None:
        """Restrict this connection to the words in `names`, or to none if one of them is unknown.

        Raises:
            ProtocolError: no wake word has such a name.

        """
        self.words = frozenset()
        try:
            self.words = frozenset(find_words(names, self._context.info().words)) if names else None
        finally:
            self._pending = deque(entry for entry in self._pending if self._wants(entry))

    async def _subscribe(self, request: Subscribe) -> None:
        if request.audio != "none" and self._context.audio is None:
            raise ProtocolError("no-audio", "this daemon sends no audio")
        if request.names is not None:
            self._choose_words(request.names)
        answer, entries = self._context.history.resume(request)
        # No other task runs in between, so nothing is lost between old events and new ones.
        self._pending.clear()
        self._pending.extend(entry for entry in entries if self._wants(entry))
        self._wish, self._live_from = request, answer.last
        self._audio = None
        if self._context.audio is not None and request.audio == "always":
            self._audio = AudioStream(self._context.audio, request)
        self._something_pending.set()
        await self._send(answer.line())


def _unknown(kind: str) -> ProtocolError:
    if kind in ("audio-start", "audio-chunk", "audio-stop"):
        return ProtocolError(
            "no-audio", "no audio is accepted here: the daemon listens to its own microphone"
        )
    return ProtocolError("unknown-type", f"there is no request {kind[:40]!r}")
