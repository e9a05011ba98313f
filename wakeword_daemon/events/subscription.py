"""What a subscriber has seen, and so what it asks for: the client's side without the socket."""

from __future__ import annotations

import logging
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from wakeword_daemon.errors import EventsError
from wakeword_daemon.events.framing import FrameDecoder, ProtocolError
from wakeword_daemon.events.protocol import (
    Authenticate,
    Detect,
    Detection,
    Error,
    StateChanged,
    Subscribe,
    Subscribed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wakeword_daemon.events.framing import Frame

logger = logging.getLogger(__name__)

ANSWER_TIMEOUT = 5.0  # seconds a daemon may take to accept and to answer
READ_SIZE = 16 * 1024

_FIRST_DELAY = 0.1
_LONGEST_DELAY = 2.0


class UnreachableError(EventsError):
    """Nobody answers at the address; it may be worth another try later."""

    @classmethod
    def because(cls, address: Path | tuple[str, int], error: OSError) -> UnreachableError:
        """Return the error that tells a user what a failed connection means."""
        where = str(address) if isinstance(address, Path) else f"{address[0]} port {address[1]}"
        if isinstance(error, (FileNotFoundError, ConnectionRefusedError)):
            return cls(f"no daemon is listening at {where}; start it with `wakeword run`")
        if isinstance(error, PermissionError):
            return cls(f"the daemon at {where} belongs to another user and lets nobody else in")
        if isinstance(error, (TimeoutError, BlockingIOError)):
            return cls(f"the daemon at {where} does not answer")
        return cls(f"the daemon at {where} cannot be reached: {error.strerror or error}")


class Subscription:
    """Follows the numbered events over any number of connections, each event once.

    On every new connection send `hello()` and hand what arrives to `receive`; detections come out
    of `arrived`. What the daemon sends before it answers the request in `hello` counts for
    nothing: it is sent again behind the answer, in order.
    """

    def __init__(self, words: Sequence[str] | None, token: str | None) -> None:
        self.arrived: deque[Detection] = deque()
        self.ready = False
        self._words = None if words is None else list(words)
        self._token = token
        self._start_id: str | None = None
        self._sequence: int | None = None
        self._decoder = FrameDecoder()

    def hello(self) -> bytes:
        """Begin a new connection; return what to send first."""
        self.ready = False
        self._decoder = FrameDecoder()
        subscribe = Subscribe(start_id=self._start_id, after_sequence=self._sequence)
        lines = [subscribe.line()]
        if self._words is not None:
            lines.insert(0, Detect(names=self._words).line())
        if self._token is not None:
            lines.insert(0, Authenticate(token=self._token).line())
        return b"".join(lines)

    def receive(self, received: bytes) -> None:
        """Take in what the daemon sent.

        Raises:
            EventsError: the daemon refused us, or it is no wake-word daemon.

        """
        self._decoder.feed(received)
        try:
            while (frame := self._decoder.next_frame()) is not None:
                self._take(frame)
        except ProtocolError as error:
            raise EventsError(f"whoever answers is no wake-word daemon: {error}") from error

    def _take(self, frame: Frame) -> None:
        if frame.type == Error.kind:
            raise EventsError(f"the daemon refused: {Error.from_frame(frame).text}")
        if frame.type == Subscribed.kind:
            self._begin(Subscribed.from_frame(frame))
        elif self.ready and frame.type == Detection.kind:
            detection = Detection.from_frame(frame)
            self._sequence = detection.sequence
            self.arrived.append(detection)
        elif self.ready and frame.type == StateChanged.kind:
            changed = StateChanged.from_frame(frame)
            self._sequence = changed.sequence
            level = logging.INFO if changed.state == "listening" else logging.WARNING
            reason = f": {changed.reason}" if changed.reason else ""
            logger.log(level, "the daemon is %s%s", changed.state, reason)

    def _begin(self, answer: Subscribed) -> None:
        if answer.missed is None:
            logger.warning("the daemon was restarted; what it told just before that may be lost")
        elif answer.missed:
            logger.warning("%d events are lost: the daemon no longer holds them", answer.missed)
        self._start_id, self._sequence = answer.start_id, answer.sequence
        self.ready = True


def retry_delays() -> Iterator[float]:
    """Yield the seconds to wait before each attempt to reach a daemon that went away."""
    delay = _FIRST_DELAY
    while True:
        yield delay
        delay = min(2 * delay, _LONGEST_DELAY)
