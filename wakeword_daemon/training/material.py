"""Gathering what one word is trained on and measured with, and refusing what cannot work."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.errors import TrainingError
from wakeword_daemon.training.data import melpower
from wakeword_daemon.training.data.corpus import Corpus, Recording
from wakeword_daemon.training.data.endpoints import Span, speech_span
from wakeword_daemon.training.data.melpower import Library
from wakeword_daemon.training.data.rooms import fade, stacked
from wakeword_daemon.training.data.simple_speech import (
    SimpleSpeech,
    simple_jobs,
    speak_simply,
)
from wakeword_daemon.training.data.speech import (
    BESIDE_PEOPLE,
    INSTEAD_OF_PEOPLE,
    NaturalSpeech,
    natural_jobs,
    speak_naturally,
)
from wakeword_daemon.training.data.synthesis import SpeakingJob, Utterance
from wakeword_daemon.training.data.takes import Take, UsableTake, usable_takes
from wakeword_daemon.training.fit.composition import Composition, Negatives, Word
from wakeword_daemon.training.labelled import takes_in, usual_length
from wakeword_daemon.training.measure.validation import (
    Validation,
    divide_noise,
    divide_rooms,
    halves,
)
from wakeword_daemon.training.positives import SpokenSentences, takes_to_train_on

logger = logging.getLogger(__name__)

FEWEST_TAKES = 20
FEWEST_SPEAKERS = 3
FEWEST_TO_TELL = 100
"""Takes of another word from which on it gets a class of its own."""

SIMPLE_TAKES = 400
"""Takes by simple synthesizers that go with the usual amounts of natural ones."""

# How often synthetic other speech is drawn, relative to all recordings together.
NONSENSE_SHARE = 0.15
SIMILAR_SHARE = 0.3
MISHEARD_SHARE = 0.4
RUNNING_SHARE = 0.2
INVENTED_SHARE = 0.6
RESPELT_SHARE = 0.3
NATURAL_SHARE = 0.5
# And clips that are labelled as other speech: each, and all of them at most.
LABELLED_SHARE = 0.01
MOST_LABELLED = 0.15


@dataclass(frozen=True)
class Material:
    """What one word is trained on and measured with.

    Attributes:
        composition: what training sequences are made of.
        validation: speech that nothing was trained on.
        sources: names of the collections that were trained on.
        real_takes, speakers: how many recordings of the word there are, by how many people.
        synthetic_takes, natural_takes: takes by the simple synthesizers, and by Kokoro.
        labelled: labelled clips with the word, and without it.
        set_aside: recordings left out, each with the reason.

    """

    composition: Composition
    validation: Validation
    sources: list[str]
    real_takes: int
    synthetic_takes: int
    natural_takes: int
    speakers: int
    labelled: tuple[int, int]
    set_aside: list[str]


@dataclass(frozen=True)
class Voices:
    """What synthetic voices have to say for one word.

    Attributes:
        simple, natural: what they say, by kind, and where it is kept.
        without: what no other speech may hold: the word as it is written and as it is read.
        instead_of_people: whether they stand in for people, because few or none say the word.

    """

    simple: Mapping[str, SpeakingJob] = field(default_factory=dict)
    natural: Mapping[str, SpeakingJob] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    instead_of_people: bool = False


def voices_for(
    written: str,
    phrase: str,
    cache: Path,
    *,
    synthetic: int,
    seed: int,
    left_out: Collection[str] = (),
) -> Voices:
    """Return what synthetic voices have to say for a word.

    Args:
        written: the word as it is written.
        phrase: the word as the voices read it.
        cache: folder for what is made once.
        synthetic: takes by simple synthesizers; takes by others, and what sounds like the word, are
            in proportion; 0 for none at all.
        seed: of texts and voices.
        left_out: engines for measuring, which must not be used for training; if there are any, more
            takes are made, because people do not say the word.

    """
    if not synthetic:
        return Voices()
    alone = bool(left_out)
    amounts = (INSTEAD_OF_PEOPLE if alone else BESIDE_PEOPLE).scaled(synthetic / SIMPLE_TAKES)
    return Voices(
        simple_jobs(phrase, synthetic, cache, seed, left_out),
        natural_jobs(phrase, amounts, cache, seed, left_out),
        (written, phrase),
        alone,
    )


def gather(
    corpus: Corpus,
    word: str,
    features: FeatureSettings,
    cache: Path,
    *,
    phrase: str,
    voices: Voices,
    seed: int,
    labelled: Corpus | None = None,
) -> Material:
    """Read, check and arrange all recordings of a corpus for one word.

    Args:
        corpus: the recordings.
        word: the word as the corpus names it.
        features: the front end.
        cache: folder for what is computed once.
        phrase: the word as it is written.
        voices: what synthetic voices have to say.
        seed: of everything that is drawn at random.
        labelled: clips that a person has labelled, which count more than other recordings.

    Raises:
        TrainingError: the word is unknown, or has too few takes or speakers and no voices.

    """
    usable, set_aside = _read_takes(corpus, word, features)
    train = [take for take in usable if take.recording.split == "train"]
    speakers = {take.recording.speaker for take in train}
    if not voices.simple and not voices.natural:
        _refuse_too_little(corpus, word, len(train), len(speakers))
    rehearsed, unheard = divide_noise(corpus)
    validation = halves(corpus, word, usable, unheard, seed)  # refuses before hours are spent

    shelf = _Shelf(features, cache)
    simple = speak_simply(voices.simple, voices.without)
    natural = speak_naturally(voices.natural, voices.without)
    numbers = _numbered_words(corpus, word)
    recorded = _recorded_negatives(corpus, word, shelf, numbers)
    stand_ins = _as_people(natural.word, features) if voices.instead_of_people else []
    clips: list[Take] = []
    mistaken: list[Negatives] = []
    if labelled is not None:
        clips, unusable = takes_in(labelled, word, usual_length([*train, *stand_ins]), features)
        set_aside += unusable
        mistaken = _labelled_negatives(labelled, word, shelf, recorded)
    composition = Composition(
        takes=takes_to_train_on(
            train,
            shelf.read(simple.word, "simple takes"),
            shelf.read([u.path for u in natural.word], "natural takes"),
            shelf.read_spoken(natural.carriers, "carrier sentences"),
            features,
            stand_ins=stand_ins,
            labelled=clips,
            cache=cache,
            phrase=phrase,
            seed=seed,
        ),
        negatives=[
            *recorded,
            *mistaken,
            *_synthetic_negatives(simple, natural, shelf, recorded),
        ],
        noise=shelf.read([r.path for r in rehearsed], "noise"),
        features=features,
        words=len(numbers),
        rooms=stacked([fade(room, features) for room in divide_rooms(corpus)[0]], features.mels),
    )
    return Material(
        composition=composition,
        validation=validation,
        sources=sorted(
            {
                r.source
                for r in (*corpus.in_split("train"), *(labelled.recordings if labelled else ()))
            }
        ),
        real_takes=len(train),
        synthetic_takes=len(simple.word),
        natural_takes=len(natural.takes()),
        speakers=len(speakers),
        labelled=(len(clips), sum(len(kind.library) for kind in mistaken)),
        set_aside=set_aside,
    )


def _as_people(said: Sequence[Utterance], features: FeatureSettings) -> list[UsableTake]:
    """Return takes by natural voices as if people had recorded them."""
    recordings = [
        Recording(one.path, one.text, one.voice.name, "train", one.voice.engine, noise=False)
        for one in said
    ]
    return usable_takes(recordings, features)[0]


def _read_takes(
    corpus: Corpus, word: str, features: FeatureSettings
) -> tuple[list[UsableTake], list[str]]:
    """Return the takes of the word that can be used, and why others cannot."""
    mine = [r for r in corpus.recordings if r.word == word]
    if not mine:
        known = ", ".join(sorted(corpus.words()))
        raise TrainingError(f"{corpus.root} has no recordings of {word!r}; its words: {known}")
    usable, set_aside = usable_takes(mine, features)
    for reason in set_aside:
        logger.warning("set aside: %s", reason)
    return usable, set_aside


def _refuse_too_little(corpus: Corpus, word: str, takes: int, speakers: int) -> None:
    if takes < FEWEST_TAKES or speakers < FEWEST_SPEAKERS:
        raise TrainingError(
            f"{word!r} has too few recordings to train on: usable are {takes} of the "
            f"{FEWEST_TAKES} takes, by {speakers} of the {FEWEST_SPEAKERS} speakers, that "
            "are needed at least"
        )
    if not any(r.split == "train" and r.word != word and not r.noise for r in corpus.recordings):
        raise TrainingError(f"{corpus.root} has no other speech than {word!r} to train against")


def _recorded_negatives(
    corpus: Corpus, word: str, shelf: _Shelf, numbers: Mapping[str, int]
) -> list[Negatives]:
    libraries = (shelf.other_speech(corpus, word, source) for source in _sources(corpus))
    return [
        Negatives(library, _share(library), _words_of(library, said, numbers))
        for library, said in libraries
        if len(library)
    ]


def _labelled_negatives(
    labelled: Corpus, word: str, shelf: _Shelf, recorded: Sequence[Negatives]
) -> list[Negatives]:
    """Return the clips in which the word is not said as a separate kind that is drawn often."""
    paths = [r.path for r in labelled.recordings if r.word != word]
    total = sum(kind.share for kind in recorded) or 1.0
    share = min(LABELLED_SHARE * len(paths), MOST_LABELLED)
    return [Negatives(shelf.read(paths, "clips").levelled(), share * total)] if paths else []


def _synthetic_negatives(
    simple: SimpleSpeech, natural: NaturalSpeech, shelf: _Shelf, recorded: Sequence[Negatives]
) -> list[Negatives]:
    total = sum(kind.share for kind in recorded) or 1.0  # where there is nothing else
    kinds = (
        (simple.nonsense, "nonsense", NONSENSE_SHARE),
        (simple.similar, "similar", SIMILAR_SHARE),
        (
            [*simple.misheard, *(u.path for u in natural.misheard)],
            "mishearings",
            MISHEARD_SHARE,
        ),
        (simple.running, "running", RUNNING_SHARE),
        (simple.invented, "invented", INVENTED_SHARE),
        (simple.respelt, "respelt", RESPELT_SHARE),
        ([u.path for u in natural.others], "natural sentences", NATURAL_SHARE),
    )
    return [
        Negatives(shelf.read(paths, title).levelled(), share * total)
        for paths, title, share in kinds
        if paths
    ]


class _Shelf:
    """Mel power of recordings, from the cache where it was computed before."""

    def __init__(self, features: FeatureSettings, cache: Path) -> None:
        self._features = features
        self._cache = cache

    def read(self, paths: Sequence[Path], title: str) -> Library:
        if not paths:
            return Library.join([], self._features.mels)
        return melpower.load(paths, self._features, self._cache, title=title)[0]

    def read_spoken(self, utterances: Sequence[Utterance], title: str) -> SpokenSentences:
        """Return synthetic sentences that hold the word, and where it is in each."""
        spans = {u.path: u.word_span for u in utterances if u.word_span is not None}
        if not spans:
            return SpokenSentences(self.read([], title), [])
        library, paths = melpower.load(list(spans), self._features, self._cache, title=title)
        rate = self._features.frames_per_second
        return SpokenSentences(
            library, [Span(*(round(second * rate) for second in spans[path])) for path in paths]
        )

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
    """Return the words that a network learns to classify, each with its number."""
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
