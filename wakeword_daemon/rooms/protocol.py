"""The events between a room and the service; those of the daemon's own socket are imported.

Names and fields are Wyoming's. Wyoming's readers skip the additional fields of `detection`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from wakeword_daemon import __version__
from wakeword_daemon.events.protocol import Attribution, Event, WakeModel, WakeProgram

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wakeword_daemon.engine import Model, WordSettings


class RoomDetect(Event, frozen=True, kw_only=True):
    """Chooses the words to listen for: null or empty for all."""

    kind: ClassVar[str] = "detect"

    names: list[str] | None = None
    context: dict[str, Any] | None = None
    """Returned with every detection."""


class AudioFormat(msgspec.Struct, frozen=True, kw_only=True):
    """The format of an `audio-chunk`'s payload; `audio-start` announces it."""

    rate: int
    """Samples a second."""
    width: int
    """Bytes of one sample."""
    channels: int


class RoomDetection(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A wake word was heard in the room's audio."""

    kind: ClassVar[str] = "detection"

    name: str
    """The word."""
    timestamp: int
    """Milliseconds at the end of the step that crossed the threshold: on the clock of the room's
    own timestamps if its audio has them, else since its `audio-start`."""
    score: float
    """The model's probability there, 0 to 1."""
    sample: int
    """The same moment, counted in samples at 16 kHz since `audio-start`."""
    level: float
    """Loudness of the second before it in dBFS."""
    model: str
    """Id of the model that heard it."""
    above_noise: float | None = None
    """How far `level` is above the noise floor of the room in dB; where the nearest room fires."""
    context: dict[str, Any] | None = None
    """What came with `detect`."""


class DetectedElsewhere(RoomDetection, frozen=True, kw_only=True, omit_defaults=True):
    """The wake word was heard in this room too, but a room that heard it louder fires."""

    kind: ClassVar[str] = "detected-elsewhere"


class NotDetected(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The audio ended without a wake word."""

    kind: ClassVar[str] = "not-detected"

    context: dict[str, Any] | None = None


def wake_program(
    description: str, models: Sequence[Model], settings: Mapping[str, WordSettings]
) -> WakeProgram:
    """Describe the engine and its words as Wyoming does."""
    own = Attribution(name="wakeword-daemon")
    return WakeProgram(
        name="wakeword-daemon",
        description=description,
        attribution=own,
        version=__version__,
        models=[
            WakeModel(
                name=model.name,
                description=f"The word “{model.phrase}”",
                phrase=model.phrase,
                languages=[model.card.language],
                attribution=own,
                version=model.card.checksum[:8],
                model=model.model_id,
                threshold=model.threshold_for(settings[model.name]),
            )
            for model in models
        ],
    )
