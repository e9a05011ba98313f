"""Gathering what one word is trained on and measured with, and refusing what cannot work."""

from __future__ import annotations

import itertools
import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wakeword_daemon.audio import files
from wakeword_daemon.clock import SAMPLE_RATE, samples
from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.errors import AudioError, TrainingError
from wakeword_daemon.training import melpower, synthesis
from wakeword_daemon.training.corpus import Corpus, Recording
from wakeword_daemon.training.endpoints import Span, speech_span
from wakeword_daemon.training.evaluation import Pcm, SpokenTake, Streams, build_streams
from wakeword_daemon.training.melpower import Library, MelPower
from wakeword_daemon.training.sentences import SENTENCES
from wakeword_daemon.training.sequences import Composition, Filler, Takes

logger = logging.getLogger(__name__)

FEWEST_TAKES = 20
FEWEST_SPEAKERS = 3
LONGEST_WORD = 2.4
"""Seconds; a longer one leaves no room in a training sequence."""
CLIPPED_SHARE = 0.01
SYNTHETIC_SHARE = 0.3
"""Share of the drawn takes that are synthetic, where there are any."""
LONGEST_PIECE = 30.0


@dataclass(frozen=True)
class Material:
    """What one word is trained on and measured with.

    Attributes:
        composition: what training sequences are made of.
        select: streams of one half of the validation speakers, to choose the best epoch by.
        final: streams of the other half, for the last look.
        sources: names of the collections that were trained on.
        real_takes, synthetic_takes, speakers: how much of the word there was.
        set_aside: recordings left out, each with the reason.

    """

    composition: Composition
    select: Streams
    final: Streams
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
        synthetic: takes to synthesize; as many near-sounding words and sentences are made.
        seed: of everything that is drawn at random.

    Raises:
        TrainingError: the word is unknown or has too few takes or speakers.

    """
    mine = [r for r in corpus.recordings if r.word == word]
    if not mine:
        known = ", ".join(sorted(corpus.words()))
        raise TrainingError(f"{corpus.root} has no recordings of {word!r}; its words: {known}")
    usable, set_aside = _usable_takes(mine, features)
    for reason in set_aside:
        logger.warning("set aside: %s", reason)
    train = [t for t in usable if t.recording.split == "train"]
    speakers = {t.recording.speaker for t in train}
    if len(train) < FEWEST_TAKES or len(speakers) < FEWEST_SPEAKERS:
        raise TrainingError(
            f"{word!r} has {len(train)} usable takes by {len(speakers)} speakers to train on; "
            f"at least {FEWEST_TAKES} takes by {FEWEST_SPEAKERS} speakers are needed"
        )
    spoken = _speak(phrase, synthetic, cache, seed)
    other = [r for r in corpus.of("train") if r.word != word and not r.noise]
    noise = [r for r in corpus.of("train") if r.noise]
    if not other:
        raise TrainingError(f"{corpus.root} has no other speech than {word!r} to train against")
    libraries = {
        source: melpower.load([r.path for r in group], features, cache, title=source)[0].levelled()
        for source, group in _by_source(other)
    }
    near, _ = melpower.load(spoken.near, features, cache, title="near-sounding")
    sentences, _ = melpower.load(spoken.sentences, features, cache, title="sentences")
    fillers = [Filler(lib, _filler_share(lib)) for lib in libraries.values() if len(lib)]
    total = sum(f.share for f in fillers)
    fillers += [
        Filler(lib.levelled(), share * total)
        for lib, share in ((near, 0.2), (sentences, 0.1))
        if len(lib)
    ]
    silent = Library.of([], features.mels)
    composition = Composition(
        takes=_takes(train, spoken.word, features, cache),
        fillers=fillers,
        noise=melpower.load([r.path for r in noise], features, cache, title="noise")[0]
        if noise
        else silent,
        features=features,
    )
    halves = _halves(usable, corpus, word)
    return Material(
        composition=composition,
        select=build_streams(*halves[0], features, seed),
        final=build_streams(*halves[1], features, seed + 1),
        sources=sorted({r.source for r in corpus.of("train")}),
        real_takes=len(train),
        synthetic_takes=len(spoken.word),
        speakers=len(speakers),
        set_aside=set_aside,
    )


@dataclass(frozen=True)
class _UsableTake:
    recording: Recording
    pcm: Pcm
    power: melpower.Frames
    span: Span


def _usable_takes(
    recordings: Sequence[Recording], features: FeatureSettings
) -> tuple[list[_UsableTake], list[str]]:
    front_end = MelPower(features)
    usable: list[_UsableTake] = []
    set_aside: list[str] = []
    for recording in recordings:
        try:
            pcm = files.read(recording.path)
        except AudioError as error:
            set_aside.append(str(error))
            continue
        power = front_end(pcm)
        span = speech_span(power)
        clipped = float(np.mean(np.abs(pcm.astype(np.int32)) >= 32_700))  # noqa: PLR2004
        if span is None:
            set_aside.append(f"{recording.path}: nothing is spoken in it")
        elif len(span) > LONGEST_WORD * features.frames_per_second:
            length = len(span) / features.frames_per_second
            set_aside.append(f"{recording.path}: the word lasts {length:.1f} s")
        elif clipped > CLIPPED_SHARE:
            set_aside.append(f"{recording.path}: {clipped:.0%} of the samples are clipped")
        else:
            usable.append(_UsableTake(recording, pcm, power, span))
    return usable, set_aside


@dataclass(frozen=True)
class _Spoken:
    word: list[Path]
    near: list[Path]
    sentences: list[Path]


def _speak(phrase: str, count: int, cache: Path, seed: int) -> _Spoken:
    installed = synthesis.engines()
    if not count or not installed:
        if count:
            logger.warning("no speech synthesizer is installed: training on recordings alone")
        return _Spoken([], [], [])
    name = phrase.replace(" ", "_")

    def make(kind: str, texts: Callable[[random.Random], Iterator[str]], many: int) -> list[Path]:
        # Each kind has its own draws: what is found in the cache must not change the others.
        rng = random.Random(f"{seed} {kind}")  # noqa: S311 - a seed for training, not a secret
        engines = ["espeak"] if kind.startswith("near") else installed
        voices = synthesis.voices(rng, engines)
        return synthesis.make(texts(rng), voices, many, cache / "speech" / f"{kind}-{many}-{seed}")

    near: list[Path] = []
    if "espeak" in installed:
        sounds = synthesis.phonemes(phrase)
        near = make(f"near-{name}", lambda rng: synthesis.neighbours(sounds, rng), 2 * count)
    return _Spoken(
        word=make(name, lambda _: itertools.repeat(phrase), count),
        near=near,
        sentences=make("sentences", lambda _: itertools.cycle(SENTENCES), count),
    )


def _by_source(recordings: Sequence[Recording]) -> Iterator[tuple[str, list[Recording]]]:
    """Group other speech by where it comes from; spoken words apart from running speech."""
    for source in sorted({r.source for r in recordings}):
        yield source, [r for r in recordings if r.source == source]


def _filler_share(library: Library) -> float:
    """Return how often a source is drawn: by its size, but a small one is not drowned."""
    return float(np.sqrt(library.lengths().sum()))


def _takes(
    real: Sequence[_UsableTake], synthetic: Sequence[Path], features: FeatureSettings, cache: Path
) -> Takes:
    pieces = [t.power for t in real]
    spans = [t.span for t in real]
    # Every speaker counts alike, however many takes there are of each.
    per_speaker = Counter(t.recording.speaker for t in real)
    weights = [1 / per_speaker[t.recording.speaker] for t in real]
    weights = [w / sum(weights) for w in weights]
    spoken: list[tuple[melpower.Frames, Span]] = []
    if synthetic:
        library, _ = melpower.load(synthetic, features, cache, title="synthetic-word")
        for index in range(len(library)):
            span = speech_span(library[index])
            if span is not None:
                spoken.append((library[index], span))
    share = SYNTHETIC_SHARE if spoken else 0.0
    weights = [w * (1 - share) for w in weights] + [share / len(spoken) for _ in spoken]
    pieces += [power for power, _ in spoken]
    spans += [span for _, span in spoken]
    # Levelled by the word alone: a take may be mostly silence.
    pieces = [_at_unit_level(p, s) for p, s in zip(pieces, spans, strict=True)]
    return Takes(Library.of(pieces, features.mels), spans, np.array(weights) / sum(weights))


def _at_unit_level(power: melpower.Frames, span: Span) -> melpower.Frames:
    loud = np.quantile(power[span.start : span.stop].sum(axis=1), 0.8)
    return power / np.float32(max(loud, 1e-12))


def _halves(
    takes: Sequence[_UsableTake], corpus: Corpus, word: str
) -> list[tuple[list[SpokenTake], list[Pcm]]]:
    """Divide the validation split by speaker: one half to select by, one for the last look."""
    halves: list[tuple[list[SpokenTake], list[Pcm]]] = [([], []), ([], [])]
    mine = [t for t in takes if t.recording.split == "val"]
    side = _alternate([t.recording.speaker for t in mine])
    for take in mine:
        start = samples(take.span.start / 100)
        stop = samples(take.span.stop / 100)
        halves[side[take.recording.speaker]][0].append(
            SpokenTake(take.pcm, start, stop, take.recording.speaker)
        )
    others = [r for r in corpus.of("val") if r.word != word and not r.noise]
    side = _alternate([r.speaker for r in others])
    for recording in others:
        try:
            halves[side[recording.speaker]][1].append(files.read(recording.path))
        except AudioError as error:
            logger.warning("set aside: %s", error)
    for spoken, speech in halves:
        if not spoken or sum(map(len, speech)) < 60 * SAMPLE_RATE:
            raise TrainingError(
                "the validation split is too small: it needs takes of the word by two speakers "
                "and two minutes of other speech by two others"
            )
    return halves


def _alternate(speakers: Sequence[str]) -> dict[str, int]:
    """Assign speakers to two halves, turn by turn from the one with the most recordings."""
    ranked = sorted(Counter(speakers).items(), key=lambda item: (-item[1], item[0]))
    return {speaker: index % 2 for index, (speaker, _) in enumerate(ranked)}
