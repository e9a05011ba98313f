"""One room: its requests, and the words in its audio. It knows no sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import asdict, replace

from wakeword_daemon.clock import milliseconds
from wakeword_daemon.events.framing import ProtocolError
from wakeword_daemon.events.protocol import Info, Ping, Pong
from wakeword_daemon.rooms.intake import Intake
from wakeword_daemon.rooms.nearest import Claim
from wakeword_daemon.rooms.protocol import (
    AudioFormat,
    DetectedElsewhere,
    NotDetected,
    RoomDetect,
    RoomDetection,
    wake_program,
)

if TYPE_CHECKING:
    from wakeword_daemon import engine
    from wakeword_daemon.engine import Detector
    from wakeword_daemon.events.framing import Frame
    from wakeword_daemon.pcm import Samples
    from wakeword_daemon.rooms.detectors import Detectors
    from wakeword_daemon.rooms.nearest import Seat

_BYTES_A_SECOND = 32_000  # of audio whose format was refused


class Room:
    """Takes one frame after the other and returns the answers.

    `audio-start` begins a stream with its own clock; chunks without it do too. The words and
    the context of the last `detect` hold until the next one.

    Args:
        detectors: the words.
        seat: the room's place among those of which the nearest fires; None to fire regardless of
            other rooms.

    """

    def __init__(self, detectors: Detectors, seat: Seat | None = None) -> None:
        self.seconds = 0.0
        """Audio taken so far."""
        self.streaming = False
        """Whether audio has begun and not ended."""
        self._detectors = detectors
        self._seat = seat
        self._words: frozenset[str] | None = detectors.choose(None)  # None: an unknown one
        self._context: dict[str, Any] | None = None
        self._fired = False
        # Of the stream; without a detector or an intake its audio is passed over.
        self._detector: Detector | None = None
        self._intake: Intake | None = None
        self._format: tuple[Any, Any, Any] | None = None
        self._anchor = (0, 0)  # a timestamp of the room's in ms, and the sample it is of

    def take(self, frame: Frame) -> bytes:
        """Return the answer to a frame, one line an event; empty for none.

        Raises:
            ProtocolError: the frame is not followed; the next one may be.

        """
        match frame.type:
            case "audio-chunk":
                return self._hear(frame)
            case "audio-start":
                self._start(frame)
            case "audio-stop":
                return self._stop()
            case "detect":
                self._detect(RoomDetect.from_frame(frame))
            case "describe":
                return self._info().line()
            case "ping":
                return Pong(text=Ping.from_frame(frame).text).line()
            case _:
                raise ProtocolError("unknown-type", f"there is no request {frame.type[:40]!r}")
        return b""

    def _info(self) -> Info:
        known = self._detectors
        about = "Hears wake words in the audio that is sent to it"
        return Info(wake=[wake_program(about, known.models, known.settings)], state="listening")

    def _detect(self, request: RoomDetect) -> None:
        before, self._words = self._words, None
        detector, self._detector = self._detector, None
        self._context = request.context
        self._fired = False
        self._words = self._detectors.choose(request.names)
        if self._words == before:
            self._detector = detector  # so that its refractory time continues
        elif self.streaming:
            self._detector = self._detectors.detector(self._words)
            self._detector.reset(0 if detector is None else detector.clock)
        if self.streaming and self._seat is not None:
            self._seat.listen(self._words)

    def _start(self, frame: Frame) -> None:
        self._end()
        self._begin()
        self._change_format(frame)

    def _begin(self) -> None:
        self.streaming = True
        self._fired = False
        self._anchor = (0, 0)
        self._detector = None if self._words is None else self._detectors.detector(self._words)
        if self._seat is not None and self._words is not None:
            self._seat.listen(self._words)

    def _end(self) -> None:
        self.streaming = False
        self._detector = self._intake = self._format = None
        if self._seat is not None:
            self._seat.leave()

    def _hear(self, frame: Frame) -> bytes:
        data, payload = frame.data, frame.payload
        answer = b""
        if not self.streaming:
            self._begin()
            self._change_format(frame)
        elif self._intake is None:
            self.seconds += len(payload) / _BYTES_A_SECOND
            return answer
        elif self._format != (data.get("rate"), data.get("width"), data.get("channels")):
            answer = self._flush()
            self._change_format(frame)
        intake = self._intake
        if intake is None:
            return answer
        self.seconds += intake.seconds(payload)
        if self._detector is None:
            return answer
        if type(timestamp := data.get("timestamp")) is int:
            self._anchor = (timestamp, self._detector.clock + intake.trail)
        try:
            return answer + self._push(intake.push(payload))
        except ProtocolError:
            self._intake = None
            raise

    def _change_format(self, frame: Frame) -> None:
        self._intake = self._format = None
        try:
            form = msgspec.convert(frame.data, AudioFormat)
        except msgspec.ValidationError as error:
            raise ProtocolError("bad-data", f"{frame.type}: {error}") from None
        self._intake = Intake(form)
        self._format = (form.rate, form.width, form.channels)

    def _stop(self) -> bytes:
        answer = self._flush()
        if self._detector is not None and self._intake is not None and not self._fired:
            answer += NotDetected(context=self._context).line()
        self._end()
        return answer

    def _flush(self) -> bytes:
        return b"" if self._intake is None else self._push(self._intake.flush())

    def _push(self, pcm: Samples) -> bytes:
        if self._detector is None:
            return b""
        heard = self._detector.push(pcm)
        if self._seat is not None:
            for power in self._detector.powers:
                self._seat.hear(power)
        return b"".join(map(self._answer, heard)) if heard else b""

    def _answer(self, heard: engine.Detection) -> bytes:
        """Return what to answer to a word at once: nothing where other rooms have a say."""
        self._fired = True
        anchored, sample = self._anchor
        event = RoomDetection(
            name=heard.word,
            timestamp=anchored + milliseconds(heard.sample - sample),
            score=heard.score,
            sample=heard.sample,
            level=heard.level,
            model=heard.model,
            context=self._context,
        )
        if self._seat is None:
            return event.line()
        above_noise = self._seat.above_noise(heard.level)
        event = replace(event, above_noise=above_noise)
        elsewhere = DetectedElsewhere(**asdict(event))
        claim = Claim(above_noise, event.line(), elsewhere.line())
        self._seat.claim(heard.word, claim, self._detectors.settings[heard.word].refractory)
        return b""
