"""What a subscriber receives: detections, their audio, and what a watcher sees."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

from wakeword_daemon.events.protocol import (
    AudioStart,
    AudioStop,
    Detection,
    Info,
    StateChanged,
    Telemetry,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


class Options(TypedDict, total=False):
    """What `subscribe` and `subscribe_async` accept besides the socket and the audio."""

    words: Sequence[str] | None
    pre_roll: float
    seconds: float
    until_silence: float | None
    reconnect: bool
    token: str | None


@dataclass(frozen=True, slots=True)
class Ready:
    """Connected: from here on every event arrives. Audio that was being received has ended."""


@dataclass(frozen=True, slots=True)
class Away:
    """There is no daemon; the subscription waits for one."""

    reason: str
    """Why, in a sentence."""


@dataclass(frozen=True, slots=True)
class Samples:
    """A stretch of audio without a gap."""

    pcm: bytes
    """s16le, 16 kHz, mono."""
    sample: int
    """Index of its first sample on the sample clock, as in `Detection.sample`."""
    lost: int
    """Samples that are missing right before it; 0 unless audio was lost."""


class DetectionWithAudio(Detection, frozen=True, kw_only=True, dict=True):
    """A detection with the audio that follows it.

    Its `audio` is an iterator over `Samples`, an asynchronous one with `subscribe_async`. It can be
    continued later, and ends at the next detection.
    """

    @property
    def audio(self) -> Any:  # noqa: ANN401 -- either kind of iterator
        """What the microphone recorded: see `client.subscribe`."""
        return self.__dict__["audio"]


Watched: TypeAlias = Info | Away | StateChanged | Detection | Telemetry
"""What a watcher receives."""

Item: TypeAlias = Ready | Watched | AudioStart | Samples | AudioStop
"""What a subscription yields."""


class Sorter:
    """Separates the detections of a subscription from the audio of each.

    With `audio="always"` nothing is separated: both are yielded as they come.
    """

    def __init__(self, audio: Literal["none", "after", "always"]) -> None:
        self._audio = audio
        self._handed_out = (Detection, Samples) if audio == "always" else (Detection,)
        self._early: deque[Detection] = deque()  # arrived while audio was iterated over
        self._sequence = 0  # of the detection whose audio is iterated over
        self._begun = False
        self._over = True

    def waiting(self) -> Detection | None:
        """Return a detection that has already arrived."""
        return self._early.popleft() if self._early else None

    def hands_out(self, item: Item) -> bool:
        """Return whether the iteration over events yields the item."""
        return isinstance(item, self._handed_out)

    def equip(self, detection: Detection, audio: object) -> Detection:
        """Return the detection, with its audio if that was requested."""
        if self._audio != "after":
            return detection
        self._sequence, self._begun, self._over = detection.sequence, False, False
        fields = {name: getattr(detection, name) for name in detection.__struct_fields__}
        equipped = DetectionWithAudio(**fields)
        equipped.__dict__["audio"] = audio
        return equipped

    def goes_on(self, sequence: int) -> bool:
        """Return whether more audio may follow for the detection with this number."""
        return not self._over and sequence == self._sequence

    def take(self, item: Item) -> Samples | None:
        """Take an item; return it if it is audio of the current detection."""
        match item:
            case Detection():
                self._early.append(item)
            case AudioStart():
                self._begun = item.sequence == self._sequence
            case AudioStop():
                self._over = item.sequence == self._sequence
            case Ready():  # another connection
                self._over = True
            case Samples() if self._begun:
                return item
        return None
