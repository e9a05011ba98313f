"""Gathering what one word is trained on and measured with, and refusing what cannot work."""

from __future__ import annotations

import hashlib
import itertools
import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.errors import TrainingError
from wakeword_daemon.training.data import melpower, neighbours, synthesis
from wakeword_daemon.training.data.corpus import Corpus
from wakeword_daemon.training.data.endpoints import speech_span
from wakeword_daemon.training.data.melpower import Library
from wakeword_daemon.training.data.takes import UsableTake, usable_takes
from wakeword_daemon.training.data.variants import variants
from wakeword_daemon.training.fit.composition import (
    Composition,
    Negatives,
    TakeGroup,
    Takes,
    Word,
    join_takes,
)
from wakeword_daemon.training.measure.validation import Validation, divide_noise, halves

logger = logging.getLogger(__name__)

FEWEST_TAKES = 20
FEWEST_SPEAKERS = 3
FEWEST_TO_TELL = 100
"""Takes of another word that are enough to learn to tell it apart."""

VARIANTS = 4
"""Variants of each real take: other voices and microphones."""

# How often takes of a kind are drawn, relative to each other.
REAL_SHARE = 0.4
CHANGED_SHARE = 0.3
SYNTHETIC_SHARE = 0.2

# How often synthetic other speech is drawn, relative to all recordings together.
NONSENSE_SHARE = 0.15
SIMILAR_SHARE = 0.3
RUNNING_SHARE = 0.2
INVENTED_SHARE = 0.6
RESPELT_SHARE = 0.3


@dataclass(frozen=True)
class Material:
    """What one word is trained on and measured with.

    Attributes:
        composition: what training sequences are made of.
        validation: speech that nothing was trained on.
        sources: names of the collections that were trained on.
        real_takes, synthetic_takes, speakers: how much of the word there was.
        set_aside: recordings left out, each with the reason.

    """

    composition: Composition
    validation: Validation
    sources: list[str]
    real_takes: int
    synthetic_takes: int
    speakers: int
    set_aside: list[str]


def gather(
    corpus: Corpus,
    word: str,
    features: FeatureSettings,
    cache: Path,
    *,
    phrase: str,
    synthetic: int,
    seed: int,
) -> Material:
    """Read, check and arrange all recordings of a corpus for one word.

    Args:
        corpus: the recordings.
        word: the word as the corpus names it.
        features: the front end.
        cache: folder for what is computed once.
        phrase: the word as it is written, for synthetic speakers.
        synthetic: takes to synthesize; near-sounding words and sentences are made in proportion.
        seed: of everything that is drawn at random.

    Raises:
        TrainingError: the word is unknown or has too few takes or speakers.

    """
    mine = [r for r in corpus.recordings if r.word == word]
    if not mine:
        known = ", ".join(sorted(corpus.words()))
        raise TrainingError(f"{corpus.root} has no recordings of {word!r}; its words: {known}")
    usable, set_aside = usable_takes(mine, features)
    for reason in set_aside:
        logger.warning("set aside: %s", reason)
    train = [t for t in usable if t.recording.split == "train"]
    speakers = {t.recording.speaker for t in train}
    if len(train) < FEWEST_TAKES or len(speakers) < FEWEST_SPEAKERS:
        raise TrainingError(
            f"{word!r} has too few recordings to train on: usable are {len(train)} of the "
            f"{FEWEST_TAKES} takes, by {len(speakers)} of the {FEWEST_SPEAKERS} speakers, that "
            "are needed at least"
        )
    if not any(r.split == "train" and r.word != word and not r.noise for r in corpus.recordings):
        raise TrainingError(f"{corpus.root} has no other speech than {word!r} to train against")
    rehearsed, unheard = divide_noise(corpus)
    validation = halves(corpus, word, usable, unheard, seed)  # refuses before hours are spent

    shelf = _Shelf(features, cache)
    spoken = _speak(phrase, synthetic, cache, seed)
    numbers = _numbered_words(corpus, word)
    negatives = [
        Negatives(library, _share(library), _words_of(library, said, numbers))
        for library, said in (shelf.other_speech(corpus, word, s) for s in _sources(corpus))
        if len(library)
    ]
    total = sum(f.share for f in negatives)
    for paths, title, share in (
        (spoken.nonsense, "nonsense", NONSENSE_SHARE),
        (spoken.similar, "similar", SIMILAR_SHARE),
        (spoken.running, "running", RUNNING_SHARE),
        (spoken.invented, "invented", INVENTED_SHARE),
        (spoken.respelt, "respelt", RESPELT_SHARE),
    ):
        if paths:
            negatives.append(Negatives(shelf.read(paths, title).levelled(), share * total))
    composition = Composition(
        takes=_takes(train, shelf.read(spoken.word, "synthetic-word"), features, phrase, seed),
        negatives=negatives,
        noise=shelf.read([r.path for r in rehearsed], "noise"),
        features=features,
        words=len(numbers),
    )
    return Material(
        composition=composition,
        validation=validation,
        sources=sorted({r.source for r in corpus.in_split("train")}),
        real_takes=len(train),
        synthetic_takes=len(spoken.word),
        speakers=len(speakers),
        set_aside=set_aside,
    )


def _takes(
    real: Sequence[UsableTake],
    synthetic: Library,
    features: FeatureSettings,
    phrase: str,
    seed: int,
) -> Takes:
    """Return all takes to train on; every speaker counts alike, however many takes there are."""
    changed = variants(real, VARIANTS, features, seed)
    spoken = [
        (power, speech_span(power)) for power in map(synthetic.__getitem__, range(len(synthetic)))
    ]
    found = [(power, span) for power, span in spoken if span is not None]
    groups = [
        _by_speaker(real, REAL_SHARE),
        _by_speaker(changed, CHANGED_SHARE),
        TakeGroup(
            [p for p, _ in found], [s for _, s in found], [1.0] * len(found), SYNTHETIC_SHARE
        ),
    ]
    return join_takes(groups, features.mels, phrase=" " in phrase)


def _by_speaker(takes: Sequence[UsableTake], share: float) -> TakeGroup:
    per_speaker = Counter(t.recording.speaker for t in takes)
    return TakeGroup(
        [t.power for t in takes],
        [t.span for t in takes],
        [1 / per_speaker[t.recording.speaker] for t in takes],
        share,
    )


def _all_alike(library: Library, share: float) -> TakeGroup:
    found = [(library[i], speech_span(library[i])) for i in range(len(library))]
    spoken = [(power, span) for power, span in found if span is not None]
    return TakeGroup([p for p, _ in spoken], [s for _, s in spoken], [1.0] * len(spoken), share)


class _Shelf:
    """Mel power of recordings, from the cache where it was computed before."""

    def __init__(self, features: FeatureSettings, cache: Path) -> None:
        self._features = features
        self._cache = cache

    def read(self, paths: Sequence[Path], title: str) -> Library:
        if not paths:
            return Library.join([], self._features.mels)
        return melpower.load(paths, self._features, self._cache, title=title)[0]

    def other_speech(self, corpus: Corpus, word: str, source: str) -> tuple[Library, list[str]]:
        """Return what a source has to train against, all pieces equally loud, and their words."""
        # All of the source is read, so that every word and split finds it in the cache.
        of_source = [r for r in corpus.recordings if r.source == source and not r.noise]
        wanted = {r.path: r.word for r in of_source if r.split == "train" and r.word != word}
        if not wanted:
            return self.read([], source), []
        library, paths = melpower.load(
            [r.path for r in of_source], self._features, self._cache, title=source
        )
        picked = [i for i, path in enumerate(paths) if path in wanted]
        return library.pick(picked).levelled(), [wanted[paths[i]] for i in picked]


def _sources(corpus: Corpus) -> list[str]:
    return sorted({r.source for r in corpus.recordings})


def _numbered_words(corpus: Corpus, word: str) -> dict[str, int]:
    """Return the words that a network learns to tell apart, each with its number."""
    takes = Counter(r.word for r in corpus.in_split("train") if r.word not in ("", word))
    others = sorted(other for other, count in takes.items() if count >= FEWEST_TO_TELL)
    return {name: number for number, name in enumerate([word, *others])}


def _words_of(library: Library, said: Sequence[str], numbers: Mapping[str, int]) -> dict[int, Word]:
    """Return which pieces of a library are a numbered word, and where in them it ends."""
    spans = {i: speech_span(library[i]) for i, name in enumerate(said) if name in numbers}
    return {i: Word(numbers[said[i]], span.stop) for i, span in spans.items() if span is not None}


def _share(library: Library) -> float:
    """Return how often a source is drawn: by its size, but a small one is not drowned."""
    return float(np.sqrt(library.lengths().sum()))


@dataclass(frozen=True)
class _Spoken:
    """Files of synthetic speech."""

    word: list[Path]
    nonsense: list[Path]
    similar: list[Path]
    running: list[Path]
    invented: list[Path]
    respelt: list[Path]


def _speak(phrase: str, count: int, cache: Path, seed: int) -> _Spoken:
    installed = synthesis.engines()
    if not count or not installed:
        if count:
            logger.warning("no speech synthesizer is installed: training on recordings alone")
        return _Spoken([], [], [], [], [], [])
    name = phrase.replace(" ", "_")

    def make(
        kind: str,
        texts: Callable[[random.Random], Iterator[str]],
        many: int,
        engines: list[str] = installed,
        accents: Sequence[str] = synthesis.ESPEAK_ACCENTS,
    ) -> list[Path]:
        # Each kind has its own draws: what is found in the cache must not change the others. Speech
        # that other programs or another version would make is kept apart by its first words.
        own = f"{seed} {kind}"
        first = itertools.islice(texts(random.Random(own)), 20)  # noqa: S311 - a seed, not a secret
        key = hashlib.sha256("\n".join([*first, *engines, *accents]).encode()).hexdigest()[:8]
        folder = cache / "speech" / f"{kind}-{many}-{seed}-{key}"
        rng = random.Random(own)  # noqa: S311 - likewise
        voices = synthesis.voices(rng, engines, accents=accents)
        said = synthesis.make(texts(rng), voices, many, folder)
        return [u.path for u in said if phrase not in u.text or kind == name]

    nonsense: list[Path] = []
    similar: list[Path] = []
    invented: list[Path] = []
    respelt: list[Path] = []
    if "espeak" in installed:  # it alone takes and tells phonemes
        nonsense = make(
            f"nonsense-{name}", lambda rng: neighbours.nonsense(phrase, rng), 2 * count, ["espeak"]
        )
        similar = make(
            f"similar-{name}", lambda rng: neighbours.similar(phrase, cache, rng), 2 * count
        )
        invented = make(
            "invented",
            neighbours.invented_words,
            4 * count,
            ["espeak"],
            (*synthesis.ESPEAK_ACCENTS, *synthesis.FOREIGN_ACCENTS),
        )
        respelt = make(
            f"respelt-{name}",
            lambda rng: neighbours.respelt(phrase, rng),
            2 * count,
            ["espeak"],
            synthesis.FOREIGN_ACCENTS,
        )
    return _Spoken(
        word=make(name, lambda _: itertools.repeat(phrase), count),
        nonsense=nonsense,
        similar=similar,
        running=make("running", neighbours.running_speech, 4 * count),
        invented=invented,
        respelt=respelt,
    )
