"""Speech whose sounds are known, to train the network of speech sounds on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.engine.sounds import SOUNDS
from wakeword_daemon.training.data import melpower
from wakeword_daemon.training.data.corpus import Corpus, Recording
from wakeword_daemon.training.data.melpower import Library
from wakeword_daemon.training.data.rooms import fade, stacked
from wakeword_daemon.training.data.simple_speech import simple_jobs
from wakeword_daemon.training.data.speech import BESIDE_PEOPLE, natural_jobs
from wakeword_daemon.training.data.speechsounds import ACCENTS, accent_of, spoken
from wakeword_daemon.training.data.synthesis import SpeakingJob
from wakeword_daemon.training.data.transcripts import Passage
from wakeword_daemon.training.fit.soundsequences import FRAMES, SoundComposition, Spoken
from wakeword_daemon.training.measure.validation import divide_noise, divide_rooms

# Shares of all speech: what people say, single words by people, and each synthesizer.
PEOPLE_SHARE = 0.4
WORDS_SHARE = 0.1
SYNTHETIC_SHARES = {
    "kokoro": 0.24, "espeak": 0.12, "piper": 0.05, "flite": 0.04, "festival": 0.03, "pico": 0.02,
}  # fmt: skip
SIMPLE_TAKES = 400
SIMPLE_KINDS = ("word", "similar", "misheard", "running")
"""What simple synthesizers say that has the sounds of English alone."""
SHORTEST_SOUND = 4
"""Frames; a text with more sounds than that allows is not what is said in its recording."""

Said = tuple[Passage, str]
"""A passage, and the accent of the person or voice that speaks it."""


def speech_with_sounds(
    corpus: Corpus,
    passages: Sequence[Passage],
    phrases: Sequence[str],
    features: FeatureSettings,
    cache: Path,
) -> tuple[SoundComposition, Spoken]:
    """Return what to train on, and single words by people of the validation split.

    Args:
        corpus: the recordings.
        passages: what people say in some of them.
        phrases: wake words, which synthetic voices say too, with what sounds like them.
        features: the front end.
        cache: folder for what is made once.

    """

    def kind(title: str, said: Sequence[Said], share: float) -> Spoken:
        return _spoken(said, features, cache, title=title, share=share)

    training = {r.path for r in corpus.in_split("train")}
    by_people = [(passage, ACCENTS[0]) for passage in passages if passage.path in training]
    kinds = [
        kind("people, as transcribed", by_people, PEOPLE_SHARE),
        kind("words by people", _words(corpus.in_split("train")), WORDS_SHARE),
        *(
            kind(engine, said, SYNTHETIC_SHARES[engine])
            for engine, said in _synthetic(phrases, cache)
        ),
    ]
    noise = [r.path for r in divide_noise(corpus)[0]]
    composition = SoundComposition(
        spoken=[some for some in kinds if some.sounds],
        noise=melpower.load(noise, features, cache, title="noise")[0],
        rooms=stacked([fade(room, features) for room in divide_rooms(corpus)[0]], features.mels),
        features=features,
    )
    return composition, kind("words by other people", _words(corpus.in_split("val")), 0.0)


def _words(recordings: Sequence[Recording]) -> list[Said]:
    return [
        (Passage(r.path, None, None, r.word.replace("_", " ")), ACCENTS[0])
        for r in recordings
        if r.word and not r.noise
    ]


def _synthetic(phrases: Sequence[str], cache: Path) -> Iterator[tuple[str, list[Said]]]:
    """Yield each synthesizer and what it says."""
    jobs: dict[Path, SpeakingJob] = {}
    for phrase in phrases:
        simple = simple_jobs(phrase, SIMPLE_TAKES, cache, seed=0)
        some = [simple[kind] for kind in SIMPLE_KINDS if kind in simple]
        natural = natural_jobs(phrase, BESIDE_PEOPLE, cache)
        jobs |= {job.folder: job for job in (*some, *natural.values())}
    said: defaultdict[str, list[Said]] = defaultdict(list)
    for job in jobs.values():
        for one in job.make():
            if (accent := accent_of(one.voice)) is not None:
                said[one.voice.engine].append((Passage(one.path, None, None, one.text), accent))
    yield from sorted(said.items())


def _spoken(
    said: Sequence[Said], features: FeatureSettings, cache: Path, *, title: str, share: float
) -> Spoken:
    """Return passages as one kind of speech, without those whose text cannot belong to them."""
    wanted = list(dict.fromkeys(passage.path for passage, _ in said))
    if not wanted:
        return Spoken(title, Library.join([], features.mels), [], share)
    library, paths = melpower.load(wanted, features, cache, title=f"sounds, {title}")
    places = {path: place for place, path in enumerate(paths)}
    numbers, rate = _numbers(said), features.frames_per_second
    pieces, sounds = [], []
    for passage, accent in said:
        if passage.path not in places:
            continue
        power, own = library[places[passage.path]], numbers[accent, passage.text]
        if passage.start is not None and passage.stop is not None:
            power = power[round(passage.start * rate) : round(passage.stop * rate)]
        if 0 < SHORTEST_SOUND * len(own) <= len(power) <= FRAMES:
            pieces.append(power)
            sounds.append(own)
    return Spoken(title, Library.join(pieces, features.mels).levelled(), sounds, share)


def _numbers(said: Sequence[Said]) -> dict[tuple[str, str], npt.NDArray[np.int64]]:
    """Return the numbers of the sounds of each text in each accent."""
    texts: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for passage, accent in said:
        texts[accent][passage.text] = None
    return {
        (accent, text): np.array([1 + SOUNDS.index(sound) for sound in sounds], np.int64)
        for accent, some in texts.items()
        for text, sounds in zip(some, spoken(list(some), accent), strict=True)
    }
