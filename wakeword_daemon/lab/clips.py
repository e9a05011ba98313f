"""Clips of one second, which experiments are trained and measured on.

A clip has 98 frames, ten steps of the teacher. The attention of every network here covers the steps
of a clip. So at the end of a clip the streaming network gives exactly what the offline one does,
and in a stream it attends to no more than in training. The source report counts operations for two
seconds; that is a unit of its table, not the length of its clips, and padding each clip with a
second of silence would double the training time for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.engine.logmel import LogMel
from wakeword_daemon.engine.settings import Architecture, FeatureSettings
from wakeword_daemon.errors import TrainingError
from wakeword_daemon.lab.split import Split
from wakeword_daemon.pcm import Pcm
from wakeword_daemon.training.data.cache import Arrays, cached, digest_of_files
from wakeword_daemon.training.data.corpus import Corpus, Recording
from wakeword_daemon.training.data.endpoints import speech_span
from wakeword_daemon.training.data.reading import readable, refuse_many

CLIP = SAMPLE_RATE
"""Samples of a clip."""
QUIET = 4.0
"""RMS of the noise that pads shorter recordings: a quiet room, -78 dBFS."""

FRAMES = (CLIP - FeatureSettings().window) // FeatureSettings().hop + 1
"""Mel frames of a clip."""

LogMels = npt.NDArray[np.float16]
"""Log-mel frames of clips, [clips, 98, mels]; the error of half precision is 0.03 dB."""


def architecture_of_clips(**shape: int) -> Architecture:
    """Return an architecture whose attention covers exactly a clip.

    Args:
        shape: the architecture's other numbers.

    Raises:
        ModelError: the architecture cannot stream.
        TrainingError: its kernel is longer than a clip.

    """
    return over_a_clip(Architecture(**shape))


def over_a_clip(a: Architecture) -> Architecture:
    """Return an architecture with an attention that covers exactly a clip; the weights still fit.

    Raises:
        TrainingError: its kernel is longer than a clip.

    """
    steps = (FRAMES - a.kernel_frames) // a.stride_frames + 1
    if steps < 1:
        raise TrainingError(
            f"a kernel of {a.kernel_frames} frames needs more than a clip's {FRAMES}"
        )
    return replace(a, steps=steps)


@dataclass(frozen=True)
class Clips:
    """All clips of a corpus for one word.

    Attributes:
        log_mel: log-mel frames, [clips, 98, mels], mapped into memory.
        is_word: whether each is the word, [clips].
        is_trained: whether each is trained on, and not measured on, [clips].
        noise: clips in which nobody speaks, for training, [noises, 98, mels].
        features: the front end that made them.
        key: changes with whatever the clips depend on.

    """

    log_mel: LogMels
    is_word: npt.NDArray[np.bool_]
    is_trained: npt.NDArray[np.bool_]
    noise: LogMels
    features: FeatureSettings
    key: str

    def validation(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Return the validation clips [clips, 98, mels], and whether each is the word."""
        measured = ~self.is_trained
        return self.log_mel[measured].astype(np.float32), self.is_word[measured]

    def mean_of_word(self) -> npt.NDArray[np.float32]:
        """Return the mean of the word's training clips [98, mels], which is no person's voice."""
        mine = np.flatnonzero(self.is_word & self.is_trained)
        mean: npt.NDArray[np.float32] = self.log_mel[mine].mean(axis=0, dtype=np.float32)
        return mean


def read_clips(
    corpus: Corpus, split: Split, word: str, features: FeatureSettings, cache: Path
) -> Clips:
    """Return a corpus cut into clips; it is cut once and kept in `cache`.

    A recording of the word becomes one clip; a longer one is cut around the word. Any other becomes
    as many clips as it has whole seconds. Shorter recordings are padded on both sides with the
    noise of a quiet room.

    Raises:
        TrainingError: the word or other speech is missing from a half, or too many recordings
            cannot be read.

    """
    recordings = split.arrange(corpus)
    trained = dict(zip((r.path for r in recordings), split.is_trained(), strict=True))
    _refuse_empty(recordings, trained, word, corpus)
    noise = [r for r in corpus.recordings if r.noise]
    key = digest_of_files([r.path for r in (*recordings, *noise)], f"{word} {features}")
    arrays = cached(cache, "clips", key, lambda: _cut_all(recordings, noise, word, features))
    return Clips(
        log_mel=arrays["log_mel"],
        is_word=np.array([recordings[i].word == word for i in arrays["recording"]], bool),
        is_trained=np.array([trained[recordings[i].path] for i in arrays["recording"]], bool),
        noise=np.array(arrays["noise"]),
        features=features,
        key=key,
    )


def _refuse_empty(
    recordings: Sequence[Recording], trained: dict[Path, bool], word: str, corpus: Corpus
) -> None:
    for side, name in ((True, "to train on"), (False, "to validate with")):
        words = [r.word == word for r in recordings if trained[r.path] is side]
        if not any(words):
            known = ", ".join(sorted(corpus.words()))
            raise TrainingError(
                f"{corpus.root} has no recordings of {word!r} {name}; its words: {known}"
            )
        if all(words):
            raise TrainingError(f"{corpus.root} has only {word!r} {name}, and no other speech")


def _cut_all(
    recordings: Sequence[Recording],
    noise: Sequence[Recording],
    word: str,
    features: FeatureSettings,
) -> Arrays:
    """Return the clips of all recordings, the number of each one's recording, and the noise."""
    numbers: list[int] = []
    pieces: list[LogMels] = []
    for number, cut in _cuts(recordings, word, features, "reading recordings"):
        numbers += [number] * len(cut)
        pieces.append(cut)
    none = np.empty((0, FRAMES, features.mels), "f2")
    noises = [cut for _, cut in _cuts(noise, word, features, "reading noise")]
    return {
        "log_mel": np.concatenate([none, *pieces]),
        "recording": np.array(numbers, np.int64),
        "noise": np.concatenate([none, *noises]),
    }


def _cuts(
    recordings: Sequence[Recording], word: str, features: FeatureSettings, title: str
) -> Iterator[tuple[int, LogMels]]:
    """Yield the number of each recording and its clips."""
    front_end = LogMel(features)
    rng = np.random.default_rng(0)
    unreadable: list[str] = []
    for index, samples in readable([r.path for r in recordings], unreadable, title=title):
        pcm = _padded(samples, rng)
        if recordings[index].word == word:
            pcm = _spoken(pcm, front_end)
        cuts = pcm[: len(pcm) // CLIP * CLIP].reshape(-1, CLIP)
        frames = np.stack([front_end.frames(cut) for cut in cuts])
        yield index, frames.astype(np.float16)
    refuse_many(unreadable, len(recordings))


def _padded(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    missing = CLIP - len(pcm)
    if missing <= 0:
        return pcm
    quiet = rng.normal(0, QUIET, missing).round().astype(np.int16)
    return np.concatenate([quiet[: missing // 2], pcm, quiet[missing // 2 :]])


def _spoken(pcm: Pcm, front_end: LogMel) -> Pcm:
    """Return the second of a take with the word in its middle."""
    if len(pcm) == CLIP:
        return pcm
    frames = front_end.frames(pcm)
    span = speech_span(np.exp(frames))
    middle = len(pcm) // 2
    if span is not None:
        middle = (span.start + span.stop) // 2 * front_end.settings.hop
    start = min(max(0, middle - CLIP // 2), len(pcm) - CLIP)
    return pcm[start : start + CLIP]
