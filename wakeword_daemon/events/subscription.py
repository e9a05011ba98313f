"""The decisions of a subscriber, without input and output: `client` and `aioclient` do those.

`follow` decides what to ask for, when to wait for a daemon and what to log. It yields steps; the
result of each is sent back into it, and an `OSError` of a step is thrown into it.
"""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec
from msgspec.structs import replace

from wakeword_daemon.errors import EventsError
from wakeword_daemon.events.connection import (
    ANSWER_TIMEOUT,
    AbsentError,
    Address,
    UnreachableError,
    place,
    unreachable,
)
from wakeword_daemon.events.framing import FrameDecoder, ProtocolError, encode
from wakeword_daemon.events.items import Away, Item, Ready, Samples
from wakeword_daemon.events.paths import parse_address
from wakeword_daemon.events.protocol import (
    AudioChunk,
    AudioStart,
    AudioStop,
    Authenticate,
    Detect,
    Detection,
    Error,
    Info,
    StateChanged,
    Subscribe,
    Subscribed,
    Telemetry,
    Watch,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

    from wakeword_daemon.events.framing import Frame
    from wakeword_daemon.events.protocol import AudioWish

logger = logging.getLogger(__name__)

_FIRST_DELAY = 0.1
_LONGEST_DELAY = 2.0
_ALL_HELD: Final = 60_000
"""Milliseconds of pre-roll that cover everything a daemon keeps."""


@dataclass(frozen=True, slots=True)
class Connect:
    """Close the connection, if there is one, and connect to the address."""

    address: Address


@dataclass(frozen=True, slots=True)
class Send:
    """Send these bytes."""

    line: bytes


@dataclass(frozen=True, slots=True)
class Receive:
    """Wait for bytes and return them; at most `limit` seconds, if there is a limit."""

    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait for this many seconds."""

    seconds: float


Step: TypeAlias = Connect | Send | Receive | Wait | Item
"""What to do next, or what to yield to the subscriber."""

Steps: TypeAlias = "Generator[Step, bytes | None, None]"


class DeadlineError(Exception):
    """Thrown into `follow` when the subscriber's time is over."""


def wish(
    *,
    audio: AudioWish,
    pre_roll: float,
    seconds: float,
    until_silence: float | None,
) -> Subscribe:
    """Return the request for audio, from the arguments of `client.subscribe`.

    Raises:
        ValueError: an argument is out of range.

    """
    request = Subscribe(
        audio=audio,
        pre_roll_ms=round(1000 * pre_roll),
        seconds=seconds,
        until_silence=until_silence,
    )
    try:
        return msgspec.convert(msgspec.to_builtins(request), Subscribe)  # checks the ranges
    except msgspec.ValidationError as error:
        raise ValueError(f"the request for audio is out of range: {error}") from None


def follow(
    socket: str | Path | None,
    words: Sequence[str] | None,
    token: str | None,
    request: Subscribe,
    *,
    reconnect: bool,
    watch: bool = False,
) -> Steps:
    """Yield the steps of a subscription: `Ready` on every connection, and items among other steps.

    Args:
        socket: see `client.subscribe`, which also explains `words`, `token` and `reconnect`.
        words: names of wake words.
        token: the token, if a daemon on TCP asks for one.
        request: the audio to ask for, and the event to begin after.
        reconnect: whether to wait for a daemon.
        watch: whether to ask for telemetry, and to yield all that `items.Watched` names.

    Raises:
        EventsError: see `client.subscribe`.
        DeadlineError: it was thrown in.

    """
    subscription = _Subscription(words, token, request, watch=watch)
    address = yield from _reach(socket, subscription, reconnect=reconnect)
    yield Ready()
    while True:
        while subscription.arrived:
            yield subscription.arrived.popleft()
        try:
            subscription.receive((yield Receive()))
        except OSError as error:
            if not reconnect:
                raise unreachable(address, error) from error
            gone = "the daemon went away; waiting for it to come back"
            logger.warning("%s", gone)
            yield Away(gone)
            address = yield from _reach_again(socket, subscription)
            yield Ready()


def _reach(
    socket: str | Path | None, subscription: _Subscription, *, reconnect: bool
) -> Generator[Step, bytes | None, Address]:
    waiting = False
    for delay in _retry_delays():
        try:
            return (yield from _open(socket, subscription))
        except AbsentError as error:
            if not reconnect:
                raise
            if not waiting:
                logger.warning("%s; waiting for it", error)
                yield Away(f"{error}; waiting for it")
                waiting = True
            try:
                yield Wait(delay)
            except DeadlineError:
                raise error from None
    raise AssertionError("the delays never end")


def _reach_again(
    socket: str | Path | None, subscription: _Subscription
) -> Generator[Step, bytes | None, Address]:
    for delay in _retry_delays():
        yield Wait(delay)
        with contextlib.suppress(UnreachableError):
            return (yield from _open(socket, subscription))
    raise AssertionError("the delays never end")


def _open(
    socket: str | Path | None, subscription: _Subscription
) -> Generator[Step, bytes | None, Address]:
    address = parse_address(socket)  # each time, because another daemon may have been started
    try:
        yield Connect(address)
        # A daemon that refuses may have closed the connection already, after saying why.
        with contextlib.suppress(ConnectionError):
            yield Send(subscription.hello(address))
        while not subscription.ready:
            subscription.receive((yield Receive(ANSWER_TIMEOUT)))
    except OSError as error:
        raise unreachable(address, error) from error
    return address


def _retry_delays() -> Iterator[float]:
    """Yield the seconds to wait before each attempt to reach a daemon."""
    delay = _FIRST_DELAY
    while True:
        yield delay
        delay = min(2 * delay, _LONGEST_DELAY)


class _Subscription:
    """Follows the numbered events over any number of connections, each event once.

    On every new connection send `hello()` and pass what arrives to `receive`; detections are then
    in `arrived`. Events that come before the daemon has answered the request in `hello` are
    skipped, because the daemon sends them again after its answer, in order.
    """

    def __init__(
        self,
        words: Sequence[str] | None,
        token: str | None,
        request: Subscribe,
        *,
        watch: bool,
    ) -> None:
        self.arrived: deque[Item] = deque()
        self.ready = False
        self._words = None if words is None else list(words)
        self._token = token
        self._request = request
        self._watch = watch
        self._start_id: str | None = None
        self._sequence = request.after_sequence
        self._last = 0  # events up to this one are sent again, without audio
        self._end: int | None = None  # of all audio so far, on the sample clock of the daemon
        self._info: Info | None = None
        self._decoder = FrameDecoder()
        self._address: Address

    def hello(self, address: Address) -> bytes:
        """Begin a new connection to the address; return the first bytes to send."""
        self.ready = False
        self._address = address
        self._decoder = FrameDecoder()
        lines = []
        if self._token is not None:
            lines.append(Authenticate(token=self._token).line())
        if self._words is not None:
            lines.append(Detect(names=self._words).line())
        lines.append(encode("describe", {}))
        subscribe = replace(self._request, start_id=self._start_id, after_sequence=self._sequence)
        if self._end is not None:
            subscribe = replace(subscribe, pre_roll_ms=_ALL_HELD)
        lines.append(subscribe.line())
        if self._watch:
            lines.append(Watch().line())
        return b"".join(lines)

    def receive(self, received: bytes | None) -> None:
        """Take what the daemon sent.

        Raises:
            EventsError: the daemon refused, or it is not a wake-word daemon.

        """
        self._decoder.feed(received or b"")
        try:
            while (frame := self._decoder.next_frame()) is not None:
                self._take(frame)
        except ProtocolError as error:
            raise EventsError(
                f"the program that answers is not a wake-word daemon: {error}"
            ) from error

    def _take(self, frame: Frame) -> None:
        match frame.type:
            case Error.kind:
                raise EventsError(f"the daemon refused: {Error.from_frame(frame).text}")
            case Info.kind:
                self._info = Info.from_frame(frame)
            case Subscribed.kind:
                self._begin(Subscribed.from_frame(frame))
            case _ if self.ready:
                self._take_event(frame)

    def _take_event(self, frame: Frame) -> None:
        match frame.type:
            case Detection.kind:
                detection = Detection.from_frame(frame)
                self._sequence = detection.sequence
                self.arrived.append(detection)
                if self._request.audio == "after" and detection.sequence <= self._last:
                    self.arrived.append(_no_audio(detection))
            case StateChanged.kind:
                changed = StateChanged.from_frame(frame)
                self._sequence = changed.sequence
                _log_state("the daemon is", changed.state, changed.reason)
                if self._watch:
                    self.arrived.append(changed)
            case Telemetry.kind:
                self.arrived.append(Telemetry.from_frame(frame))
            case AudioStart.kind:
                self.arrived.append(AudioStart.from_frame(frame))
            case AudioChunk.kind:
                self._hear(AudioChunk.from_frame(frame), bytes(frame.payload))
            case AudioStop.kind:
                self.arrived.append(AudioStop.from_frame(frame))

    def _introduce(self) -> None:
        """Log which daemon was reached, and whether it hears."""
        if self._info is None:
            return
        if self._watch:
            self.arrived.append(self._info)
        where = place(self._address)
        if self._info.state == "listening":
            words = ", ".join(self._words or self._info.words)
            logger.info("connected to %s, which is listening for %s", where, words)
        else:
            _log_state(f"connected to {where}, which is", self._info.state, self._info.reason)

    def _hear(self, chunk: AudioChunk, pcm: bytes) -> None:
        """Pass audio on; after a reconnection to the same run, only what is new."""
        sample, lost = chunk.sample, chunk.lost
        if self._end is not None:
            known = min(max(self._end - sample, 0), len(pcm) // 2)
            sample, pcm = sample + known, pcm[2 * known :]
            lost = max(sample - self._end, 0)
        if self._request.audio == "always" and pcm:
            self._end = sample + len(pcm) // 2
        if pcm:
            self.arrived.append(Samples(pcm, sample, lost))

    def _begin(self, answer: Subscribed) -> None:
        if answer.missed is None:
            logger.warning("the daemon was restarted; its last events before that may be lost")
        elif answer.missed and self._start_id is not None:  # else they were before our time
            logger.warning("%d events are lost: the daemon no longer has them", answer.missed)
        if answer.start_id != self._start_id:
            self._end = None  # another run has its own clock
        self._start_id, self._sequence = answer.start_id, answer.sequence
        self._last = answer.last
        self.ready = True
        self._introduce()  # before what came with the answer is logged


def _no_audio(detection: Detection) -> AudioStop:
    return AudioStop(
        timestamp=detection.timestamp,
        sample=detection.sample,
        sequence=detection.sequence,
        reason="no-audio",
    )


def _log_state(beginning: str, state: str, reason: str) -> None:
    level = logging.WARNING if state in ("deaf", "degraded") else logging.INFO
    separator = " " if state == "paused" else ": "
    logger.log(level, "%s %s%s", beginning, state, f"{separator}{reason}" if reason else "")
