"""What a word is measured with: speakers, speech and noise that nothing was trained on."""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wakeword_daemon.audio import files
from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.engine.logmel import LogMel
from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.errors import TrainingError
from wakeword_daemon.pcm import Pcm
from wakeword_daemon.training.data import neighbours, strangers, synthesis
from wakeword_daemon.training.data.cache import Arrays, cached, digest
from wakeword_daemon.training.data.corpus import Corpus, Recording, Split
from wakeword_daemon.training.data.reading import readable, warn_of
from wakeword_daemon.training.data.synthesis import SpeakingJob, Voice
from wakeword_daemon.training.data.takes import UsableTake
from wakeword_daemon.training.measure.channel import Wave, measured_room
from wakeword_daemon.training.measure.evaluation import (
    STREAM_SECONDS,
    FeatureStreams,
    OtherSpeech,
    SpeechSet,
    StreamReport,
    in_streams,
    stream_frames,
)
from wakeword_daemon.training.measure.scenes import SpokenTake

HELD_OUT_NOISE = 5
"""Every fifth recording of noise is kept from training, where the corpus itself keeps none."""

SHORTEST_SPEECH = 65
"""Seconds of other speech in either half: enough for a clip of two seconds in each stream."""

ROOMS = "rooms"
"""Folder of a corpus that holds impulse responses."""

SYNTHETIC = "synthetic sentences"
"""What tables call the source of synthetic speech."""

LONG_FORM = 2400
"""Synthetic recordings of about 16 s in which false accepts are counted: some ten hours."""


def only_synthetic(report: StreamReport) -> bool:
    """Return whether no person speaks in the other speech that a network was measured on."""
    return {strangers.SOURCE, SYNTHETIC}.issuperset(report.others)


@dataclass(frozen=True)
class Validation:
    """Speech of the validation split, halved by speaker.

    Attributes:
        dev: what the threshold is chosen by.
        test: the test half, used only once, at the end.

    """

    dev: SpeechSet
    test: SpeechSet


def halves(
    corpus: Corpus, word: str, takes: Sequence[UsableTake], noise: Sequence[Recording], seed: int
) -> Validation:
    """Divide the validation split by speaker: one half for the dev set, one for the test set.

    Raises:
        TrainingError: a half has no take of the word or too little other speech.

    """
    noises = [pcm for _, pcm in _read(noise)]
    _, rooms = divide_rooms(corpus)
    divided = [SpeechSet([], [], noises, rooms, seed + half) for half in range(2)]
    mine = [t for t in takes if t.recording.split == "val"]
    side = _alternate([t.recording.speaker for t in mine])
    for take in mine:
        divided[side[take.recording.speaker]].takes.append(_spoken(take))
    others = [r for r in corpus.in_split("val") if r.word != word and not r.noise]
    side = _alternate([r.speaker for r in others])
    for recording, pcm in _read(others):
        divided[side[recording.speaker]].others.append(_other(recording, pcm))
    for half in divided:
        seconds = sum(len(one.pcm) for one in half.others) / SAMPLE_RATE
        if not half.takes or seconds < SHORTEST_SPEECH:
            raise TrainingError(
                "the validation split is too small: it needs takes of the word by two speakers "
                f"and, by two others, {SHORTEST_SPEECH} seconds of other speech each"
            )
    return Validation(*divided)


@dataclass(frozen=True)
class SplitAudio:
    """One split of a corpus as it was read, for any number of words.

    Attributes:
        spoken: recordings in which somebody speaks, with their samples.
        noise: recordings kept from training in which nobody does.
        rooms: impulse responses kept from training.

    """

    spoken: list[tuple[Recording, Pcm]]
    noise: list[Pcm]
    rooms: list[Wave]

    def speech_set(self, word: str, takes: Sequence[UsableTake]) -> SpeechSet:
        """Return what to measure a word with.

        Raises:
            TrainingError: there is no take of the word or no other speech.

        """
        others = [_other(r, pcm) for r, pcm in self.spoken if r.word != word]
        if not takes or not others:
            missing = f"takes of {word!r}" if others else "other speech"
            raise TrainingError(f"there is nothing to measure with: the split has no {missing}")
        return SpeechSet([_spoken(take) for take in takes], others, self.noise, self.rooms)


def read_split(corpus: Corpus, split: Split, hours: float | None = None) -> SplitAudio:
    """Read one split of a corpus.

    Args:
        corpus: the recordings.
        split: which of them.
        hours: speech to read at most, of every source its share; None for all.

    """
    recordings = [r for r in corpus.in_split(split) if not r.noise]
    random.Random(0).shuffle(recordings)  # noqa: S311 - a seed, not a secret
    spoken: list[tuple[Recording, Pcm]] = []
    left = np.inf if hours is None else hours * 3600 * SAMPLE_RATE
    for recording, pcm in _read(recordings):
        if left <= 0:
            break
        spoken.append((recording, pcm))
        left -= len(pcm)
    _, noise = divide_noise(corpus)
    _, rooms = divide_rooms(corpus)
    return SplitAudio(spoken, [pcm for _, pcm in _read(noise)], rooms)


def _spoken(take: UsableTake) -> SpokenTake:
    return SpokenTake(take.pcm, take.word.start, take.word.stop, take.recording.speaker)


def _other(recording: Recording, pcm: Pcm) -> OtherSpeech:
    return OtherSpeech(pcm, recording.source, sentence=not recording.word)


def divide_rooms(corpus: Corpus) -> tuple[list[Wave], list[Wave]]:
    """Return the measured rooms to train with, and those to measure with: every second one.

    They are the impulse responses in the folder `rooms` beside the recordings, their direct sound
    first; both lists are empty where there is no such folder.
    """
    paths = sorted(p for p in (corpus.root / ROOMS).glob("*") if p.is_file())
    rooms = [measured_room(files.read(path)) for path in paths]
    return rooms[::2], rooms[1::2]


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
    job: SpeakingJob, without: Sequence[str], features: FeatureSettings, cache: Path
) -> tuple[FeatureStreams, FeatureStreams]:
    """Return hours of synthetic speech without the word, by voices that nothing is trained on.

    Recordings whose text holds one of the phrases `without` are left out.

    Returns:
        one half to choose the threshold by and one to look at.

    """
    paths = [u.path for u in job.make() if not synthesis.holds(u.text, without)]

    def compute() -> Arrays:
        streams = in_streams([pcm for _, pcm in _read_files(paths)])
        return {"frames": stream_frames(streams, LogMel(features), np.float16)}

    key = digest([repr((features, STREAM_SECONDS, [p.name for p in paths]))])
    frames = cached(cache, f"long-form-{job.count}", key, compute)["frames"]
    middle = len(frames) // 2
    return _synthetic(frames[:middle], features), _synthetic(frames[middle:], features)


def long_form_job(cache: Path, count: int) -> SpeakingJob | None:
    """Return the speech of `long_form`; None if no synthesizer is installed."""
    engines = [e for e in synthesis.engines() if e != "festival"]  # it starts too slowly for hours
    if not engines or not count:
        return None

    def draws() -> tuple[Iterator[str], Iterator[Voice]]:
        rng = random.Random("long form")  # noqa: S311 - a seed, not a secret
        texts = _paragraphs(neighbours.running_speech(rng))
        return texts, synthesis.voices(rng, engines, held_out=True)

    folder = cache / "speech" / f"long-form-{count}"
    return SpeakingJob("hours to measure on", draws, count, folder)


def _synthetic(frames: npt.NDArray[np.float16], features: FeatureSettings) -> FeatureStreams:
    hours = frames.shape[0] * frames.shape[1] / features.frames_per_second / 3600
    nothing = np.empty((0, 0, features.mels), np.float32)
    return FeatureStreams(nothing, [], {SYNTHETIC: frames}, {SYNTHETIC: hours})


def _paragraphs(sentences: Iterator[str]) -> Iterator[str]:
    while True:
        yield ". ".join(itertools.islice(sentences, 4))


def _read(recordings: Sequence[Recording]) -> Iterator[tuple[Recording, Pcm]]:
    by_path = {r.path: r for r in recordings}
    return ((by_path[path], pcm) for path, pcm in _read_files(list(by_path)))


def _read_files(paths: Sequence[Path]) -> Iterator[tuple[Path, Pcm]]:
    unreadable: list[str] = []
    for number, pcm in readable(paths, unreadable):
        yield paths[number], pcm
    warn_of(unreadable)


def _alternate(speakers: Sequence[str]) -> dict[str, int]:
    """Assign speakers to two halves, turn by turn from the one with the most recordings."""
    ranked = sorted(Counter(speakers).items(), key=lambda item: (-item[1], item[0]))
    return {speaker: index % 2 for index, (speaker, _) in enumerate(ranked)}
