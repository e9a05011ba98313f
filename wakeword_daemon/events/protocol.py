"""The events on the socket, each a frozen struct with its wire form: see docs/protocol.md.

An event's fields are its `data`. `describe`, `info`, `detect`, `detection`, `ping`, `pong` and
`error` are Wyoming's, so that any Wyoming client can listen. The rest is ours, as are the fields
that Wyoming's own `detection` and `info` do not have; its readers skip them.

Every published event (`detection`, `state`) carries `sequence`, one more than the event before it,
and `start_id`, which names this run of the daemon. A restart goes on with the numbers, under a
`start_id` that sorts after the old one; after a crash they begin at 1 again.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

import msgspec

from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.events.framing import Frame, ProtocolError, encode

AudioWish: TypeAlias = Literal["none", "after", "always"]

StopReason: TypeAlias = Literal["complete", "silence", "detection", "no-audio"]

StateName: TypeAlias = Literal["starting", "listening", "degraded", "deaf", "paused"]

LONGEST_PAUSE = 10_080
"""Minutes: a week."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all events: becomes a line, and is read from a frame."""

    kind: ClassVar[str]

    def line(self) -> bytes:
        """Return the event as it is sent: one line of JSON."""
        return encode(self.kind, self)

    @classmethod
    def from_frame(cls, frame: Frame) -> Self:
        """Read the event from a frame of its type.

        Raises:
            ProtocolError: a field is missing or of the wrong type.

        """
        try:
            return msgspec.convert(frame.data, cls)
        except msgspec.ValidationError as error:
            raise ProtocolError("bad-data", f"{cls.kind}: {error}") from None


# Published to every subscriber


class Published(Event, frozen=True, kw_only=True):
    """An event that is numbered, sent to everyone, and kept for those who missed it."""

    sequence: int = 0
    start_id: str = ""


class Detection(Published, frozen=True, kw_only=True):
    """A wake word was heard."""

    kind: ClassVar[str] = "detection"

    name: str
    """The word."""
    timestamp: int
    """Milliseconds of the stream at the end of the step that crossed the threshold."""
    wall_time: float
    """The same moment in Unix seconds."""
    score: float
    """The model's probability there, 0 to 1."""
    sample: int
    """The same moment as an index of the sample clock (16 kHz)."""
    level: float
    """RMS level of the second before it, in dBFS."""
    model: str
    """Id of the model that heard it."""
    noise: float | None = None
    """Noise floor of the room in the 8 s before it, in dBFS."""
    snr: float | None = None
    """Signal-to-noise ratio of the word, in dB."""
    speaker: str | None = None
    """Wyoming's field for the speaker; always null, because speakers are not recognized."""


class StateChanged(Published, frozen=True, kw_only=True):
    """The daemon hears again, no longer hears, is paused, or hears what cannot be real sound."""

    kind: ClassVar[str] = "state"

    state: StateName
    reason: str
    """Why, in words; empty while all is well."""
    device: str | None = None
    rate: int | None = None
    """Samples a second of the device."""
    paused_until: float | None = None
    """End of the pause in Unix seconds; null if it lasts until `resume`."""
    wall_time: float
    """When, in Unix seconds."""


# Telemetry, for watchers


class Telemetry(Event, frozen=True, kw_only=True):
    """What the daemon measured in a few hops of 80 ms; each list has one value for each hop."""

    kind: ClassVar[str] = "telemetry"

    hop: int
    """Number of the first of these hops since the start of the daemon; after a loss it jumps."""
    sample: int
    """Index of the sample clock (16 kHz) one past the last hop."""
    wall_time: float
    """The same moment in Unix seconds."""
    level: list[float]
    """RMS level of the hop, in dBFS."""
    noise: list[float]
    """Noise floor of the room in the 8 s up to the hop, in dBFS."""
    scores: dict[str, list[float]]
    """For each word, the smoothed probability that is compared with its threshold, 0 to 1."""
    thresholds: dict[str, float]
    """For each word, the threshold in force, 0 to 1."""


# Audio, on request


class AudioStart(Event, frozen=True, kw_only=True):
    """Audio begins."""

    kind: ClassVar[str] = "audio-start"

    rate: int = SAMPLE_RATE
    width: int = 2
    channels: int = 1
    timestamp: int
    """Milliseconds of the stream at the first sample."""
    sample: int
    """Index of the first sample on the sample clock, if nothing is missing."""
    sequence: int | None = None
    """Number of the detection that it belongs to; null for continuous audio."""


class AudioChunk(Event, frozen=True, kw_only=True):
    """A stretch of audio without a gap; the payload is s16le, 16 kHz, mono."""

    kind: ClassVar[str] = "audio-chunk"

    rate: int = SAMPLE_RATE
    width: int = 2
    channels: int = 1
    timestamp: int
    """Milliseconds of the stream at its first sample."""
    sample: int
    """Index of its first sample on the sample clock."""
    lost: int = 0
    """Samples that are missing right before it."""

    def frame(self, payload: bytes) -> bytes:
        """Return the event as it is sent, with its samples."""
        return encode(self.kind, self, payload)


class AudioStop(Event, frozen=True, kw_only=True):
    """Audio ends."""

    kind: ClassVar[str] = "audio-stop"

    timestamp: int
    """Milliseconds of the stream at its end."""
    sample: int
    """Index one past the last sample."""
    sequence: int | None = None
    """Number of the detection that it belonged to."""
    reason: StopReason
    """The requested time is over, silence, another detection, or no more audio."""


# What the daemon answers


class Attribution(msgspec.Struct, frozen=True, kw_only=True):
    """Who made something, and where it is from."""

    name: str
    url: str = ""


class WakeModel(msgspec.Struct, frozen=True, kw_only=True):
    """A wake word that the daemon listens for."""

    name: str
    description: str
    phrase: str
    languages: list[str]
    attribution: Attribution
    installed: bool = True
    version: str | None = None
    model: str
    """Id of the model's weights, as in `detection`."""
    threshold: float
    """The probability, 0 to 1, from which the word counts as heard."""


class WakeProgram(msgspec.Struct, frozen=True, kw_only=True):
    """A wake-word engine with its words; ours is the only one."""

    name: str
    description: str
    attribution: Attribution
    installed: bool = True
    version: str
    models: list[WakeModel]


class Info(Event, frozen=True, kw_only=True):
    """What this program is and what it listens for: the answer to `describe`."""

    kind: ClassVar[str] = "info"

    asr: list[Any] = []
    tts: list[Any] = []
    handle: list[Any] = []
    intent: list[Any] = []
    wake: list[WakeProgram]
    mic: list[Any] = []
    snd: list[Any] = []
    state: StateName
    reason: str = ""
    paused_until: float | None = None
    """End of the pause in Unix seconds; null if it lasts until `resume`."""
    sequence: int = 0
    """Number of the last published event; 0 before the first."""
    start_id: str = ""

    @property
    def words(self) -> list[str]:
        """Names of all wake words."""
        return [model.name for program in self.wake for model in program.models]


class Subscriber(msgspec.Struct, frozen=True, kw_only=True):
    """A connected peer."""

    peer: str
    """Process and command, or address and port."""
    words: list[str] | None
    """The words that it chose; null for all."""
    queued: int
    """Events that wait to be sent to it."""


class CaptureCounters(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong at the microphone since the start."""

    gaps: int = 0
    """Times at which audio was missing."""
    lost: int = 0
    """Samples (16 kHz) that would have been there."""
    reopened: int = 0
    """Times the device was opened after the first."""
    overflows: int = 0
    """How often the sound system reported that it dropped audio."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong although the daemon listens."""

    name: str
    """`clipping`, `offset`, `hum`, `dead-channel`, `wrong-rate`, `unsteady`, or `clips`."""
    text: str
    """What is wrong and what helps, in a sentence."""


class Status(Event, frozen=True, kw_only=True):
    """How the daemon is: the answer to `status`."""

    kind: ClassVar[str] = "status"

    state: StateName
    reason: str = ""
    """Why, in words; empty while all is well."""
    paused_until: float | None = None
    """End of the pause in Unix seconds; null if it lasts until `resume`."""
    device: str | None = None
    """The microphone in use; null while there is none."""
    rate: int | None = None
    """Samples a second of the device."""
    words: list[str]
    """Names of all wake words."""
    last_detection: Detection | None = None
    """The last detection since the start; null before the first."""
    step: Literal["C", "numpy"] = "numpy"
    """What computes the probabilities; C where the package was built with a compiler."""
    hops: int = 0
    """Blocks of 80 ms that went through the engine."""
    gaps: int = 0
    """How often audio was missing and the engine was reset."""
    lost: int = 0
    """Samples (16 kHz) that were missing there."""
    backlog: int = 0
    """Samples captured that the engine has not heard yet."""
    capture: CaptureCounters = CaptureCounters()
    problems: list[Problem] = []
    """What makes it hard to hear, or keeps clips from being kept."""
    subscribers: list[Subscriber] = []
    """Who is connected, including the one who asks."""
    sequence: int = 0
    """Number of the last published event; 0 before the first."""
    start_id: str = ""
    pid: int
    uptime: float
    """Seconds since the start."""
    cpu: float
    """Seconds of CPU time used, all threads together."""
    rss: int
    """Bytes of memory in RAM."""


class Pong(Event, frozen=True, kw_only=True):
    """Answer to `ping`."""

    kind: ClassVar[str] = "pong"

    text: str | None = None


class Subscribed(Event, frozen=True, kw_only=True):
    """Answer to `subscribe`: every event after `sequence` follows, once and in order."""

    kind: ClassVar[str] = "subscribed"

    start_id: str
    sequence: int
    missed: int | None
    """How many of the requested events are lost; null if that is unknown (a crash)."""
    last: int
    """The event published last; those up to it come again, and without audio."""


class Watching(Event, frozen=True, kw_only=True):
    """Answer to `watch`."""

    kind: ClassVar[str] = "watching"

    on: bool


class Paused(Event, frozen=True, kw_only=True):
    """Answer to `pause`: the microphone is closed."""

    kind: ClassVar[str] = "paused"

    until: float | None
    """When it opens again, in Unix seconds; null if it waits for `resume`."""


class Resumed(Event, frozen=True, kw_only=True):
    """Answer to `resume`, with what came of it."""

    kind: ClassVar[str] = "resumed"

    state: StateName
    reason: str = ""
    """Why it does not listen, in words; empty if it does."""


class ThresholdSet(Event, frozen=True, kw_only=True):
    """Answer to `set-threshold`."""

    kind: ClassVar[str] = "threshold-set"

    name: str
    threshold: float
    saved: str | None = None
    """The config file that it was saved to; null if it was not to be saved."""


class Error(Event, frozen=True, kw_only=True):
    """The answer to a request that was refused."""

    kind: ClassVar[str] = "error"

    text: str
    code: str | None = None


# What a client asks; `describe` and `status` have no data and no struct of their own


class Ping(Event, frozen=True, kw_only=True):
    """Asks for a `pong` with the same text."""

    kind: ClassVar[str] = "ping"

    text: str | None = None


class Detect(Event, frozen=True, kw_only=True):
    """Chooses the words whose detections this connection gets: null or empty for all."""

    kind: ClassVar[str] = "detect"

    names: list[str] | None = None


class Subscribe(Event, frozen=True, kw_only=True):
    """Asks for every event after the one named, as far as the daemon still has them.

    `after_sequence` null means the last event so far, `start_id` null the present run.
    """

    kind: ClassVar[str] = "subscribe"

    start_id: str | None = None
    after_sequence: Annotated[int, msgspec.Meta(ge=0)] | None = None
    names: list[str] | None = None
    """Words, as in `detect`; null leaves the choice as it is."""
    audio: AudioWish = "none"
    """After: what follows each new detection. Always: all audio from now on."""
    pre_roll_ms: Annotated[int, msgspec.Meta(ge=0, le=60_000)] = 0
    """Milliseconds of audio to send from before the end of the word, or from before now."""
    seconds: Annotated[float, msgspec.Meta(gt=0, le=600)] = 10.0
    """Seconds of audio after the end of the word, at most."""
    until_silence: Annotated[float, msgspec.Meta(ge=0.1, le=60)] | None = None
    """Seconds of silence that end the audio earlier; null for none."""


class Watch(Event, frozen=True, kw_only=True):
    """Asks for `telemetry` from now on, or for no more of it."""

    kind: ClassVar[str] = "watch"

    on: bool = True


class Pause(Event, frozen=True, kw_only=True):
    """Asks the daemon to close the microphone."""

    kind: ClassVar[str] = "pause"

    minutes: Annotated[float, msgspec.Meta(gt=0, le=LONGEST_PAUSE)] | None = None
    """How long, up to a week; null for until `resume`."""


class Resume(Event, frozen=True, kw_only=True):
    """Asks the daemon to end a pause."""

    kind: ClassVar[str] = "resume"


class SetThreshold(Event, frozen=True, kw_only=True):
    """Asks for another threshold of a word, from now on."""

    kind: ClassVar[str] = "set-threshold"

    name: str
    threshold: Annotated[float, msgspec.Meta(gt=0, lt=1)]
    save: bool = False
    """Whether to write it into the config file too."""


class Authenticate(Event, frozen=True, kw_only=True):
    """The first event on a TCP connection that wants a token."""

    kind: ClassVar[str] = "authenticate"

    token: str
