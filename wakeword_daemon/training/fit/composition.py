"""What training sequences are made of: the word, other speech and noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.training.data.endpoints import Span
from wakeword_daemon.training.data.melpower import Frames, Library
from wakeword_daemon.training.fit.augmentation import AugmentationSettings


class TakeGroup(NamedTuple):
    """Takes of one kind: real ones, changed ones, those of one synthesizer.

    Attributes:
        power: the mel power of each.
        spans: where in each the word is.
        weights: how often each is drawn, relative to the others of the group.
        share: how often the group is drawn, relative to other groups.
        in_sentences: whether the word stands in a spoken sentence, whose other words stay.

    """

    power: list[Frames]
    spans: list[Span]
    weights: list[float]
    share: float
    in_sentences: bool = False


@dataclass(frozen=True)
class Takes:
    """Takes of the word, all of them equally loud.

    Attributes:
        library: one piece a take.
        spans: where in each the word is.
        weights: how often each take is drawn, summing to 1.
        in_sentence: whether each is a spoken sentence around the word, [takes].
        phrase: whether the word is several words, between which a speaker may pause.

    """

    library: Library
    spans: list[Span]
    weights: npt.NDArray[np.float64]
    in_sentence: npt.NDArray[np.bool_]
    phrase: bool


def join_takes(groups: list[TakeGroup], mels: int, *, phrase: bool) -> Takes:
    """Return the takes of all groups; empty groups leave their share to the others."""
    groups = [group for group in groups if group.power]
    total = sum(group.share for group in groups)
    weights = [
        np.array(group.weights) / sum(group.weights) * group.share / total for group in groups
    ]
    # Levelled by the word alone: a take may be mostly silence.
    power = [
        _at_unit_level(piece, span)
        for group in groups
        for piece, span in zip(group.power, group.spans, strict=True)
    ]
    return Takes(
        library=Library.join(power, mels),
        spans=[span for group in groups for span in group.spans],
        weights=np.concatenate(weights),
        in_sentence=np.repeat(
            [group.in_sentences for group in groups], [len(group.power) for group in groups]
        ),
        phrase=phrase,
    )


def _at_unit_level(power: Frames, span: Span) -> Frames:
    loud = np.quantile(power[span.start : span.stop].sum(axis=1), 0.8)
    return power / np.float32(max(loud, 1e-12))


class Word(NamedTuple):
    """Which word is spoken, by its number, and the frame where it ends; 0 is the one to detect."""

    number: int
    stop: int


@dataclass(frozen=True)
class Negatives:
    """Other speech of one kind, all pieces equally loud.

    Attributes:
        library: its pieces.
        share: how often one of them is drawn, relative to other kinds.
        words: those of the pieces that are one word whose number is known.

    """

    library: Library
    share: float
    words: Mapping[int, Word] = field(default_factory=dict)


@dataclass(frozen=True)
class HardNegatives:
    """Hard negatives: places in other speech where a network gave the word a high score.

    Attributes:
        kinds: index of the negatives that each place belongs to, [places].
        starts: the frame of their library at which each begins, [places].

    """

    kinds: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    starts: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    FRAMES = 170
    """Length of each: what led the network to the mistake, and a little after it."""


@dataclass(frozen=True)
class Composition:
    """The material that sequences are made of.

    Attributes:
        takes: the word.
        negatives: other speech.
        noise: recordings in which nobody speaks.
        features: the front end.
        words: how many numbers of words there are.
        rooms: how measured rooms fade, [rooms, frames, mels], as `data.rooms` gives it.
        frames: length of a sequence.
        settings: how much the sequences vary.

    """

    takes: Takes
    negatives: list[Negatives]
    noise: Library
    features: FeatureSettings
    words: int = 1
    rooms: npt.NDArray[np.float32] | None = None
    frames: int = 340
    settings: AugmentationSettings = field(default_factory=AugmentationSettings)
