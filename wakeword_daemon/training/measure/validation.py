"""What a word is measured with: speakers, speech and noise that nothing was trained on."""

from __future__ import annotations

import hashlib
import itertools
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wakeword_daemon.clock import SAMPLE_RATE, samples
from wakeword_daemon.engine.logmel import LogMel
from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.errors import TrainingError
from wakeword_daemon.pcm import Pcm
from wakeword_daemon.storage import atomic_file
from wakeword_daemon.training.data import neighbours, synthesis
from wakeword_daemon.training.data.corpus import Corpus, Recording
from wakeword_daemon.training.data.reading import readable, warn_of
from wakeword_daemon.training.data.takes import UsableTake
from wakeword_daemon.training.measure.evaluation import (
    LANES,
    Speech,
    SpokenTake,
    Streams,
    in_lanes,
    lane_frames,
)

HELD_OUT_NOISE = 5
"""Every fifth recording of noise is kept from training, where the corpus itself keeps none."""

SHORTEST_SPEECH = 65
"""Seconds of other speech in either half: a clip of two seconds in each of 32 streams."""

LONG_FORM = 2400
"""Synthetic recordings of about 16 s in which false accepts are counted: some ten hours."""


@dataclass(frozen=True)
class Validation:
    """Speech of the validation split, halved by speaker.

    Attributes:
        dev: what the threshold is chosen by.
        test: what is looked at once, at the end.

    """

    dev: Speech
    test: Speech


def halves(
    corpus: Corpus, word: str, takes: Sequence[UsableTake], noise: Sequence[Recording], seed: int
) -> Validation:
    """Divide the validation split by speaker: one half for the dev set, one for the test set.

    Raises:
        TrainingError: a half has no take of the word or too little other speech.

    """
    noises = _read(noise)
    divided: list[Speech] = [Speech([], [], noises, seed), Speech([], [], noises, seed + 1)]
    mine = [t for t in takes if t.recording.split == "val"]
    side = _alternate([t.recording.speaker for t in mine])
    for take in mine:
        start, stop = samples(take.span.start / 100), samples(take.span.stop / 100)
        speaker = take.recording.speaker
        divided[side[speaker]].takes.append(SpokenTake(take.pcm, start, stop, speaker))
    others = [r for r in corpus.in_split("val") if r.word != word and not r.noise]
    side = _alternate([r.speaker for r in others])
    for recording in others:
        divided[side[recording.speaker]].others.extend(_read([recording]))
    for half in divided:
        if not half.takes or sum(map(len, half.others)) < SHORTEST_SPEECH * SAMPLE_RATE:
            raise TrainingError(
                "the validation split is too small: it needs takes of the word by two speakers "
                f"and, by two others, {SHORTEST_SPEECH} seconds of other speech each"
            )
    return Validation(*divided)


def divide_noise(corpus: Corpus) -> tuple[list[Recording], list[Recording]]:
    """Return the recordings of noise to train with, and those to measure with.

    Pieces of one long recording (NAME_1, NAME_2; NAME-A, NAME-B) stay together.
    """
    noise = [r for r in corpus.recordings if r.noise]
    kept = [r for r in noise if r.split == "val"]
    if kept:
        return [r for r in noise if r.split == "train"], kept
    groups = [
        list(group)
        for _, group in itertools.groupby(
            sorted(noise, key=lambda r: (_origin(r.path), r.path)), key=lambda r: _origin(r.path)
        )
    ]
    held_out = groups[HELD_OUT_NOISE - 1 :: HELD_OUT_NOISE]
    kept = [r for group in held_out for r in group]
    names = {r.path for r in kept}
    return [r for r in noise if r.path not in names], kept


def _origin(path: Path) -> str:
    return re.sub(r"[-_]([A-Z]|\d+)$", "", path.stem)


def long_form(
    phrase: str, features: FeatureSettings, cache: Path, count: int
) -> tuple[Streams, Streams] | None:
    """Return hours of synthetic speech without the word, by voices that nothing is trained on.

    Recordings whose text holds the phrase are left out.

    Returns:
        one half to choose the threshold by and one to look at; None where no synthesizer is
        installed.

    """
    engines = [e for e in synthesis.engines() if e != "festival"]  # it starts too slowly for hours
    if not engines or not count:
        return None
    rng = random.Random("long form")  # noqa: S311 - a seed, not a secret
    texts = _paragraphs(neighbours.running_speech(rng))
    voices = synthesis.voices(rng, engines, held_out=True)
    said = synthesis.make(texts, voices, count, cache / "speech" / f"long-form-{count}")
    paths = [u.path for u in said if phrase not in u.text]
    key = hashlib.sha256(repr((features, [p.name for p in paths])).encode()).hexdigest()[:16]
    kept = cache / f"long-form-{count}-{key}.npy"
    if not kept.exists():
        frames = lane_frames(in_lanes(_read_files(paths)), LogMel(features), np.float16)
        with atomic_file(kept) as file:
            np.save(file, frames)
    frames = np.load(kept, mmap_mode="r")
    hours = LANES * frames.shape[1] / features.frames_per_second / 3600
    nothing = np.empty((0, 0, features.mels), np.float32)
    dev, test = frames[: LANES // 2], frames[LANES // 2 :]
    return Streams(nothing, [], dev, hours / 2), Streams(nothing, [], test, hours / 2)


def _paragraphs(sentences: Iterator[str]) -> Iterator[str]:
    while True:
        yield ". ".join(itertools.islice(sentences, 4))


def _read(recordings: Sequence[Recording]) -> list[Pcm]:
    return _read_files([r.path for r in recordings])


def _read_files(paths: Sequence[Path]) -> list[Pcm]:
    unreadable: list[str] = []
    read = [pcm for _, pcm in readable(paths, unreadable)]
    warn_of(unreadable)
    return read


def _alternate(speakers: Sequence[str]) -> dict[str, int]:
    """Assign speakers to two halves, turn by turn from the one with the most recordings."""
    ranked = sorted(Counter(speakers).items(), key=lambda item: (-item[1], item[0]))
    return {speaker: index % 2 for index, (speaker, _) in enumerate(ranked)}
