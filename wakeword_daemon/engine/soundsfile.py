"""The file of the network of speech sounds that ships with the package.

A safetensors file like a word's: see `modelfile`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from wakeword_daemon.engine.crnn import CRNN, weight_shapes
from wakeword_daemon.engine.modelfile import (
    Origin,
    TrainingSource,
    check_unaltered,
    checksum_of,
    float32,
    read_arrays,
    stored,
    write_arrays,
)
from wakeword_daemon.engine.settings import Architecture, FeatureSettings
from wakeword_daemon.engine.sounds import SOUNDS, SoundNetwork
from wakeword_daemon.errors import ModelError
from wakeword_daemon.resources import sounds_file

if TYPE_CHECKING:
    from pathlib import Path

ENTRY = "sounds"
FORMAT = 1
DIRECTIONS = ("forwards", "backwards")


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundsCard:
    """Everything about the network of sounds except its weights.

    Attributes:
        language: BCP 47 tag of the language it was trained in.
        sounds: what its scores are for, from the second on; the first is for none.
        features, architecture: the front end, and the shape of either network.
        sources: the collections used in training.
        origin: what made it.
        format: version of this file format.
        checksum: as in a word's card.

    """

    language: str
    sounds: tuple[str, ...]
    features: FeatureSettings
    architecture: Architecture
    sources: list[TrainingSource] = field(default_factory=list)
    origin: Origin | None = None
    format: int = FORMAT
    checksum: str = ""


def read_sounds(path: Path) -> SoundNetwork:
    """Read a network of speech sounds.

    Raises:
        ModelError: there is no such file, or it is truncated, altered, of another version, or no
            such network.

    """
    entry, arrays = read_arrays(path, ENTRY)
    try:
        card = msgspec.json.decode(entry, type=SoundsCard)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ModelError(f"the description inside {path} is not readable: {error}") from None
    if card.format != FORMAT or card.sounds != SOUNDS:
        raise ModelError(f"{path} belongs to another version of this program")
    check_unaltered(path, entry, card.checksum, arrays)
    shapes = weight_shapes(card.architecture, card.features)
    try:
        forwards, backwards = (
            CRNN(
                card.architecture,
                card.features,
                {name: float32(arrays, f"{way}.{name}", shape) for name, shape in shapes.items()},
            )
            for way in DIRECTIONS
        )
    except KeyError as error:
        raise ModelError(f"{path} lacks the array {error}") from None
    return SoundNetwork(forwards, backwards)


@cache
def english() -> SoundNetwork:
    """Return the network that ships with the package.

    Raises:
        ModelError: its file is missing or damaged.

    """
    return read_sounds(sounds_file())


def save_sounds(path: Path, card: SoundsCard, network: SoundNetwork) -> None:
    """Write a network of speech sounds, atomically.

    Raises:
        OSError: the folder cannot be written to.

    """
    arrays = {
        f"{way}.{name}": stored(weight)
        for way, one in zip(DIRECTIONS, (network.forwards, network.backwards), strict=True)
        for name, weight in one.weights.items()
    }
    unsigned = msgspec.json.encode(replace(card, checksum="")).decode()
    signed = replace(card, checksum=checksum_of(unsigned, arrays))
    write_arrays(path, arrays, ENTRY, msgspec.json.encode(signed).decode())
