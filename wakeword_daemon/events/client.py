"""Listening to the daemon from another program, with plain sockets.

    for detection in subscribe():
        print(detection.name, detection.score)

Imports neither asyncio nor numpy, so that a small program stays small; `aioclient` has the
asynchronous form.
"""

from __future__ import annotations

import contextlib
import math
import time
from typing import TYPE_CHECKING, Generic, Literal, TypeVar, cast, overload

from wakeword_daemon.errors import EventsError
from wakeword_daemon.events.connection import connect, receive, unreachable
from wakeword_daemon.events.framing import FrameDecoder, ProtocolError, encode
from wakeword_daemon.events.items import Item, Ready, Samples, Sorter, Watched
from wakeword_daemon.events.paths import parse_address
from wakeword_daemon.events.protocol import (
    Authenticate,
    Detection,
    Error,
    Event,
    Pause,
    Paused,
    Resume,
    Resumed,
    SetThreshold,
    Status,
    Subscribe,
    ThresholdSet,
)
from wakeword_daemon.events.subscription import (
    Connect,
    DeadlineError,
    Receive,
    Send,
    Wait,
    follow,
    wish,
)

if TYPE_CHECKING:
    import socket as sockets
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path
    from typing import Self, Unpack

    from wakeword_daemon.events.items import Options
    from wakeword_daemon.events.subscription import Step, Steps

T = TypeVar("T")
AnswerT = TypeVar("AnswerT", bound=Event)


@overload
def subscribe(
    socket: str | Path | None = None,
    *,
    audio: Literal["none", "after"] = "none",
    timeout: float | None = None,
    **options: Unpack[Options],
) -> Events[Detection]: ...


@overload
def subscribe(
    socket: str | Path | None = None,
    *,
    audio: Literal["always"],
    timeout: float | None = None,
    **options: Unpack[Options],
) -> Events[Detection | Samples]: ...


def subscribe(
    socket: str | Path | None = None,
    *,
    words: Sequence[str] | None = None,
    audio: Literal["none", "after", "always"] = "none",
    pre_roll: float = 0.0,
    seconds: float = 10.0,
    until_silence: float | None = None,
    timeout: float | None = None,
    reconnect: bool = True,
    token: str | None = None,
) -> Events[Detection] | Events[Detection | Samples]:
    """Return an iterator over every detection from now on; close it, or use it with `with`.

    It is connected when this returns, so no later detection is missed. If there is no daemon yet,
    this waits for one. If the daemon goes away, the iteration waits until it is back, and continues
    where it stopped. No detection comes twice. Warnings in the log say when it waits, when the
    daemon hears nothing, and when events were lost.

    With `audio="after"` each detection has an `audio`: an iterator over what the daemon's
    microphone recorded, from `pre_roll` before the end of the word on, without a gap::

        with subscribe(audio="after", until_silence=1.0) as events:
            for event in events:
                command = b"".join(samples.pcm for samples in event.audio)

    With `audio="always"` the iterator also yields everything the microphone recorded, as `Samples`
    of a hop or less, from `pre_roll` before now on; the `sample` of a detection says where in them
    the word ends. After an interruption comes what was recorded meanwhile, as far as the daemon
    still has it; the `lost` of the next samples says how much is missing.

    Args:
        socket: the daemon's socket, or `tcp://host:port`; None for the daemon on this machine.
        words: names of the wake words to report; None for all.
        audio: "after" for the audio of each detection, "always" for all audio.
        pre_roll: seconds of audio from before the end of the word, or from before now. The daemon
            keeps `audio.history` seconds (a setting, 10 by default).
        seconds: most seconds of audio after the end of the word; up to 600.
        until_silence: seconds of silence that end the audio earlier, 0.1 to 60; None for none.
        timeout: seconds from now after which the iteration ends; None for never.
        reconnect: whether to wait for a daemon that is not there yet or went away.
        token: the token, if a daemon on TCP asks for one.

    Raises:
        EventsError: there was no daemon within `timeout`, or at once if `reconnect` is false; the
            daemon refused the connection, a word or the token; or, from the iteration, it went
            away and `reconnect` is false.
        ValueError: `pre_roll`, `seconds` or `until_silence` is out of range.

    """
    request = wish(audio=audio, pre_roll=pre_roll, seconds=seconds, until_silence=until_silence)
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    items = _carry_out(follow(socket, words, token, request, reconnect=reconnect), deadline)
    next(item for item in items if isinstance(item, Ready))
    return Events(items, audio)


class Events(Generic[T]):
    """The detections of a subscription, with or without all audio; see `subscribe`."""

    def __init__(
        self, items: Generator[Item, None, None], audio: Literal["none", "after", "always"]
    ) -> None:
        self._items = items
        self._sorter = Sorter(audio)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        item = self._sorter.waiting() or next(filter(self._sorter.hands_out, self._items))
        if isinstance(item, Detection):
            item = self._sorter.equip(item, self._audio(item.sequence))
        return cast("T", item)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._items.close()

    def _audio(self, sequence: int) -> Iterator[Samples]:
        while self._sorter.goes_on(sequence) and (item := next(self._items, None)) is not None:
            if (samples := self._sorter.take(item)) is not None:
                yield samples


def watch(
    socket: str | Path | None = None,
    *,
    past: bool = False,
    timeout: float | None = None,
    reconnect: bool = True,
    token: str | None = None,
) -> Generator[Watched, None, None]:
    """Yield what the daemon hears, measures and says of itself, from the first step on.

    - `Info` on each connection: the words with their thresholds, and the state.
    - `Telemetry` four times a second while it hears: level, noise floor and scores of each hop.
    - `Detection` and `StateChanged` as they happen.
    - `Away` when no daemon is there; it is waited for, as `subscribe` does.

    Args:
        socket: see `subscribe`, as for `timeout`, `reconnect` and `token`.
        past: whether to begin with the events before now that the daemon still has, up to 256.
        timeout: seconds from now.
        reconnect: whether to wait for a daemon.
        token: what a daemon on TCP may ask for.

    Raises:
        EventsError: as `subscribe`.

    """
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    request = Subscribe(after_sequence=0 if past else None)
    steps = follow(socket, None, token, request, reconnect=reconnect, watch=True)
    with contextlib.closing(_carry_out(steps, deadline)) as items:
        for item in items:
            if isinstance(item, Watched):
                yield item


def read_status(socket: str | Path | None = None, *, token: str | None = None) -> Status:
    """Return the daemon's status.

    Args:
        socket: the daemon's socket, or `tcp://host:port`; None for the daemon on this machine.
        token: the token, if a daemon on TCP asks for one.

    Raises:
        EventsError: there is no daemon, it does not answer, or it refused.

    """
    return _ask(encode("status", {}), Status, socket, token)


def pause(minutes: float | None = None, *, socket: str | Path | None = None) -> Paused:
    """Let the daemon close its microphone; returns when it is closed.

    Args:
        minutes: how long, up to a week; None for until `resume`. In a pause, its new length from
            now on.
        socket: the daemon's unix socket; None for the daemon on this machine.

    Raises:
        EventsError: as `read_status`.

    """
    return _ask(Pause(minutes=minutes).line(), Paused, socket)


def resume(*, socket: str | Path | None = None) -> Resumed:
    """Let the daemon open its microphone again; returns when it is clear whether it hears.

    Args:
        socket: the daemon's unix socket; None for the daemon on this machine.

    Raises:
        EventsError: as `read_status`.

    """
    return _ask(Resume().line(), Resumed, socket)


def set_threshold(
    word: str, threshold: float, *, save: bool = False, socket: str | Path | None = None
) -> ThresholdSet:
    """Change the threshold of a word in the running daemon.

    Args:
        word: its name.
        threshold: above 0 and below 1.
        save: whether to write it into the config file too; otherwise it lasts until the daemon
            reads its config again.
        socket: the daemon's unix socket; None for the daemon on this machine.

    Raises:
        EventsError: as `read_status`; also if it cannot be saved, when nothing is changed.

    """
    request = SetThreshold(name=word, threshold=threshold, save=save)
    return _ask(request.line(), ThresholdSet, socket)


def _ask(
    request: bytes, answer: type[AnswerT], socket: str | Path | None, token: str | None = None
) -> AnswerT:
    """Send a request on a new connection; return the answer."""
    address = parse_address(socket)
    if token is not None:
        request = Authenticate(token=token).line() + request
    try:
        with connect(address) as connection:
            with contextlib.suppress(ConnectionError):  # it may have sent the reason already
                connection.sendall(request)
            return _answer(connection, answer)
    except OSError as error:
        raise unreachable(address, error) from error
    except ProtocolError as error:
        raise EventsError(f"the program that answers is not a wake-word daemon: {error}") from error


def _answer(connection: sockets.socket, answer: type[AnswerT]) -> AnswerT:
    decoder = FrameDecoder()
    while True:
        decoder.feed(receive(connection))
        while (frame := decoder.next_frame()) is not None:
            if frame.type == answer.kind:
                return answer.from_frame(frame)
            if frame.type == Error.kind:
                raise EventsError(f"the daemon refused: {Error.from_frame(frame).text}")


def _carry_out(steps: Steps, deadline: float) -> Generator[Item, None, None]:
    """Take every step, and yield what is for the caller, until `deadline` by `time.monotonic()`."""
    link = _Link(deadline)
    try:
        step = next(steps)
        while True:
            if isinstance(step, Item):
                yield step
                step = next(steps)
                continue
            try:
                came = link.do(step)
            except (OSError, DeadlineError) as error:
                step = steps.throw(error)
            else:
                step = steps.send(came)
    except DeadlineError:
        return
    finally:
        link.close()


class _Link:
    """The connection of one subscription, and its deadline."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._connection: sockets.socket | None = None

    def do(self, step: Step) -> bytes | None:
        """Take one step.

        Raises:
            OSError: it failed.
            DeadlineError: the deadline came first.

        """
        match step:
            case Connect(address):
                self.close()
                self._connection = connect(address)
            case Send(line) if self._connection:
                self._connection.sendall(line)
            case Receive(limit) if self._connection:
                return self._receive(self._connection, limit)
            case Wait(seconds):
                time.sleep(min(seconds, self._remaining()))
        return None

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()

    def _receive(self, connection: sockets.socket, limit: float | None) -> bytes:
        if limit is not None:
            connection.settimeout(limit)
            return receive(connection)
        while True:
            remaining = self._remaining()
            connection.settimeout(None if math.isinf(remaining) else remaining)
            with contextlib.suppress(TimeoutError):
                return receive(connection)

    def _remaining(self) -> float:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise DeadlineError
        return remaining
