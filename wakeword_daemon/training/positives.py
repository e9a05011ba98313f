"""The takes of the word that are trained on: real ones, variants of them, and synthetic ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.training.data.endpoints import Span, speech_span
from wakeword_daemon.training.data.melpower import Library
from wakeword_daemon.training.data.takes import Take, UsableTake
from wakeword_daemon.training.data.variants import variants
from wakeword_daemon.training.fit.composition import TakeGroup, Takes, join_takes

VARIANTS = 4
"""Variants of each real take: other voices and microphones."""

MANY_PEOPLE = 11
"""From one fewer on, people have their whole share."""

# How often takes of a kind are drawn, relative to each other.
REAL_SHARE = 0.45
CHANGED_SHARE = 0.22
SIMPLE_SHARE = 0.08
NATURAL_SHARE = 0.15
SENTENCE_SHARE = 0.1
LABELLED_SHARE = 0.02
"""Of each labelled clip: as often as about ten takes by people."""
MOST_LABELLED = 0.3
"""Of all labelled clips together, so that the other takes are not forgotten."""


class SpokenSentences(NamedTuple):
    """Synthetic sentences with the word, and its frames in each."""

    library: Library
    spans: list[Span]


def takes_to_train_on(
    real: Sequence[UsableTake],
    simple: Library,
    natural: Library,
    sentences: SpokenSentences,
    features: FeatureSettings,
    *,
    stand_ins: Sequence[UsableTake],
    labelled: Sequence[Take],
    cache: Path,
    phrase: str,
    seed: int,
) -> Takes:
    """Return all takes of the word; every real speaker has the same weight.

    A take by one of few people is drawn more often than one by a synthetic voice, but the few do
    not drown the voices: one person has a fifth of all takes, ten or more have half.

    Args:
        real: takes by people.
        simple: the word alone, by simple synthesizers.
        natural: the word alone, by natural synthetic voices.
        sentences: the word in sentences, by natural synthetic voices.
        features: the front end.
        stand_ins: those of `natural` that are changed as real takes are, where people are few.
        labelled: the word in clips that a person has labelled.
        cache: folder for what is computed once.
        phrase: the word as it is written.
        seed: of the variants.

    """
    people = min(1.0, (1 + len({take.recording.speaker for take in real})) / MANY_PEOPLE)
    groups = [
        _by_speaker(real, REAL_SHARE * people),
        _by_speaker(variants(real, VARIANTS, features, cache, seed), CHANGED_SHARE * people),
        _by_speaker(variants(stand_ins, VARIANTS, features, cache, seed), CHANGED_SHARE),
        _by_speaker(labelled, min(LABELLED_SHARE * len(labelled), MOST_LABELLED)),
        _found(simple, SIMPLE_SHARE),
        _found(natural, NATURAL_SHARE),
        TakeGroup(
            [sentences.library[i] for i in range(len(sentences.library))],
            sentences.spans,
            [1.0] * len(sentences.spans),
            SENTENCE_SHARE,
            in_sentences=True,
        ),
    ]
    return join_takes(groups, features.mels, phrase=" " in phrase)


def _by_speaker(takes: Sequence[Take], share: float) -> TakeGroup:
    per_speaker = Counter(t.recording.speaker for t in takes)
    return TakeGroup(
        [t.power for t in takes],
        [t.span for t in takes],
        [1 / per_speaker[t.recording.speaker] for t in takes],
        share,
    )


def _found(library: Library, share: float) -> TakeGroup:
    """Return the takes of a library in which speech is found, all with the same weight."""
    found = [(library[i], speech_span(library[i])) for i in range(len(library))]
    spoken = [(power, span) for power, span in found if span is not None]
    return TakeGroup([p for p, _ in spoken], [s for _, s in spoken], [1.0] * len(spoken), share)
