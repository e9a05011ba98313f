"""What training sequences are made of: the word, other speech and noise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.training.data.endpoints import Span, speech_span
from wakeword_daemon.training.data.melpower import Frames, Library
from wakeword_daemon.training.data.takes import UsableTake

SYNTHETIC_SHARE = 0.3
"""Share of the drawn takes that are synthetic, where there are any."""


@dataclass(frozen=True)
class Takes:
    """Takes of the word.

    Attributes:
        library: one piece a take.
        spans: where in each the word is.
        weights: how often each take is drawn, summing to 1.
        phrase: whether the word is several words, between which a speaker may pause.

    """

    library: Library
    spans: list[Span]
    weights: npt.NDArray[np.float64]
    phrase: bool


class Word(NamedTuple):
    """Which word is spoken, by its number, and the frame where it ends; 0 is the one to detect."""

    number: int
    stop: int


@dataclass(frozen=True)
class Filler:
    """Other speech of one kind.

    Attributes:
        library: its pieces.
        share: how often one of them is drawn.
        words: those of the pieces that are one word whose number is known.

    """

    library: Library
    share: float
    words: Mapping[int, Word] = field(default_factory=dict)


@dataclass(frozen=True)
class Composition:
    """What sequences are made of.

    Attributes:
        takes: the word, all takes equally loud.
        fillers: other speech, all pieces equally loud.
        noise: recordings in which nobody speaks.
        words: how many numbers of words there are.
        frames: length of a sequence.
        word_share: share of the sequences in which the word is spoken.
        half_share: share of the pieces of other speech that are halves of the word.

    """

    takes: Takes
    fillers: list[Filler]
    noise: Library
    features: FeatureSettings
    words: int = 1
    frames: int = 340
    word_share: float = 0.4
    half_share: float = 0.15
    tempting_share: float = 0.20
    """Share of the pieces that are what the network fell for, once that is known."""


@dataclass(frozen=True)
class Tempting:
    """Places in other speech that a network took, nearly or wholly, for the word.

    Attributes:
        fillers: which of a composition's fillers each lies in, [places].
        starts: the frame of the filler's library at which each begins, [places].

    """

    fillers: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]

    FRAMES = 170
    """Length of each: what the network heard before it fell, and a little after."""

    @classmethod
    def none(cls) -> Tempting:
        """Return no places."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int64))


def weighted(
    real: Sequence[UsableTake], synthetic: Library, features: FeatureSettings, *, phrase: bool
) -> Takes:
    """Return the takes to train on, the real ones and the synthetic ones.

    Every speaker counts alike, however many takes there are of each; synthetic speakers together
    make up a share of their own. `phrase` tells whether the word is several words.
    """
    per_speaker = Counter(t.recording.speaker for t in real)
    pieces = [t.power for t in real]
    spans = [t.span for t in real]
    weights = [1 / per_speaker[t.recording.speaker] for t in real]
    weights = [w / sum(weights) for w in weights]
    found = [(synthetic[i], speech_span(synthetic[i])) for i in range(len(synthetic))]
    spoken = [(power, span) for power, span in found if span is not None]
    share = SYNTHETIC_SHARE if spoken else 0.0
    weights = [w * (1 - share) for w in weights] + [share / len(spoken) for _ in spoken]
    pieces += [power for power, _ in spoken]
    spans += [span for _, span in spoken]
    # Levelled by the word alone: a take may be mostly silence.
    pieces = [_at_unit_level(p, s) for p, s in zip(pieces, spans, strict=True)]
    drawn = np.array(weights) / sum(weights)
    return Takes(Library.of(pieces, features.mels), spans, drawn, phrase)


def _at_unit_level(power: Frames, span: Span) -> Frames:
    loud = np.quantile(power[span.start : span.stop].sum(axis=1), 0.8)
    return power / np.float32(max(loud, 1e-12))
