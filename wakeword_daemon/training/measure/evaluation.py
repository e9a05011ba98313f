"""Measuring a network on streams, by the engine that ships."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from wakeword_daemon.clock import SAMPLE_RATE, samples
from wakeword_daemon.engine.crnn import CRNN
from wakeword_daemon.engine.logmel import LogMel
from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.pcm import Pcm
from wakeword_daemon.training.measure import metrics
from wakeword_daemon.training.measure.conditions import CLEAN, Condition, Surroundings
from wakeword_daemon.training.measure.metrics import (
    TARGETS,
    ErrorRates,
    Scores,
    Take,
    false_accepts,
    operating_points,
)

LANES = 32
"""Streams that other speech is cut into, to score it faster than one long stream."""

LEAD = 2.5
"""Seconds of other speech before each take: the network has always heard something."""
PAUSE = 0.5
TAIL = 1.2
CLIP = 200
"""Frames of a clip of the clip metric: two seconds."""


@dataclass(frozen=True)
class SpokenTake:
    """A take of the word as samples, and where in it the word is."""

    pcm: Pcm
    start: int
    stop: int
    speaker: str


@dataclass(frozen=True)
class Speech:
    """Recordings to measure with, as they lie on the disk.

    Attributes:
        takes: takes of the word.
        others: recordings without it.
        noise: recordings in which nobody speaks, for noisy conditions.
        seed: of the order, of what is heard before each take, and of rooms and noise.

    """

    takes: list[SpokenTake]
    others: list[Pcm]
    noise: list[Pcm]
    seed: int


@dataclass(frozen=True)
class Streams:
    """What a microphone would hear, as log-mel frames.

    Attributes:
        takes: one stream a take, [takes, frames, mels]: other speech, a pause, the word, quiet.
        words: where the word is in each, and who says it.
        others: streams without the word, [LANES, frames, mels].
        hours: audio in `others`.

    """

    takes: npt.NDArray[np.float32]
    words: list[tuple[int, int, str]]
    others: npt.NDArray[np.float32 | np.float16]
    hours: float


@dataclass(frozen=True)
class Heard:
    """What a microphone hears, as samples.

    Attributes:
        takes: one stream a take, [takes, samples]: other speech, a pause, the word, quiet.
        words: the samples between which the word is in each, and who says it.
        others: streams without the word, [LANES, samples].

    """

    takes: Pcm
    words: list[tuple[int, int, str]]
    others: Pcm


def hear(speech: Speech, condition: Condition = CLEAN) -> Heard:
    """Lay takes and other speech out as streams, heard under a condition.

    The same order, leads and pauses under every condition; all other speech is heard once.
    """
    rng = np.random.default_rng(speech.seed)
    surroundings = Surroundings(condition, speech.noise, np.random.default_rng(speech.seed))
    order = rng.permutation(len(speech.others))
    streams, words = _take_streams(speech, rng)
    longest = max(map(len, streams), default=0)
    padded = [np.concatenate([s, _quiet(longest - len(s), rng)]) for s in streams]
    heard = [
        surroundings(stream, slice(start, stop))
        for stream, (start, stop, _) in zip(padded, words, strict=True)
    ]
    takes = np.stack(heard) if heard else np.empty((0, longest), np.int16)
    return Heard(takes, words, in_lanes([surroundings(speech.others[i]) for i in order]))


def build_streams(
    speech: Speech, features: FeatureSettings, condition: Condition = CLEAN
) -> Streams:
    """Return the log-mel frames of what `hear` gives."""
    heard = hear(speech, condition)
    front_end = LogMel(features)
    return Streams(
        takes=front_end.advance(front_end.initial_state(len(heard.takes)), heard.takes),
        words=heard.words,
        others=lane_frames(heard.others, front_end),
        hours=heard.others.size / SAMPLE_RATE / 3600,
    )


def _take_streams(
    speech: Speech, rng: np.random.Generator
) -> tuple[list[Pcm], list[tuple[int, int, str]]]:
    """Put other speech and a pause before each take and quiet after it."""
    streams: list[Pcm] = []
    words: list[tuple[int, int, str]] = []
    long = np.concatenate(speech.others)
    for take in speech.takes:
        begin = int(rng.integers(0, len(long) - samples(LEAD)))
        lead = _at_level_of(long[begin : begin + samples(LEAD)], take.pcm)
        pause = _quiet(samples(PAUSE), rng)
        before = len(lead) + len(pause)
        streams.append(np.concatenate([lead, pause, take.pcm, _quiet(samples(TAIL), rng)]))
        words.append((before + take.start, before + take.stop, take.speaker))
    return streams, words


def in_lanes(pieces: Sequence[Pcm]) -> Pcm:
    """Lay recordings end to end in streams of equal length, [LANES, samples]."""
    long = np.concatenate(pieces)
    return long[: len(long) // LANES * LANES].reshape(LANES, -1)


def lane_frames(
    streams: Pcm, front_end: LogMel, dtype: npt.DTypeLike = np.float32
) -> npt.NDArray[np.float32 | np.float16]:
    """Return the log-mel frames of streams, one stream after the other to save memory."""
    f = front_end.settings
    count = max(0, (streams.shape[1] - f.window) // f.hop + 1)
    frames = np.empty((len(streams), count, f.mels), dtype)
    for lane, pcm in enumerate(streams):
        frames[lane] = front_end.advance(front_end.initial_state(), pcm[None])[0]
    return frames


@dataclass(frozen=True)
class StreamReport:
    """The stream metric of one network.

    Attributes:
        takes: the scores of the spoken words.
        others: the scores of other speech, stream by stream.
        ends: the sample at which each step of the longest of `others` ends.
        hours: audio in `others`.
        points: the operating points, one for each of `metrics.TARGETS`.

    """

    takes: list[Take]
    others: list[Scores]
    ends: npt.NDArray[np.int64]
    hours: float
    points: list[ErrorRates] = field(init=False)

    def __post_init__(self) -> None:
        """Find the operating points."""
        points = operating_points(self.takes, self.others, self.ends, self.hours)
        object.__setattr__(self, "points", points)

    def at(self, target: float) -> ErrorRates:
        """Return the operating point of one of `metrics.TARGETS`."""
        return self.points[TARGETS.index(target)]

    def at_threshold(self, threshold: float) -> ErrorRates:
        """Return what a threshold costs."""
        return ErrorRates(
            threshold,
            self.missed(threshold) / len(self.takes),
            self.accepts(threshold) / self.hours,
        )

    def missed(self, threshold: float) -> int:
        """Return how many of the takes a threshold misses."""
        return sum(take.peak() < threshold for take in self.takes)

    def accepts(self, threshold: float) -> int:
        """Return how often other speech fires."""
        return false_accepts(self.others, self.ends, threshold)

    def mean_miss(self) -> float:
        """Return the miss rate averaged over the operating points."""
        return float(np.mean([p.miss_rate for p in self.points]))

    def joined(self, other: StreamReport) -> StreamReport:
        """Return the report of both sets of streams together."""
        return StreamReport(
            self.takes + other.takes,
            self.others + other.others,
            max(self.ends, other.ends, key=len),
            self.hours + other.hours,
        )


def measure(network: CRNN, streams: Streams) -> StreamReport:
    """Score streams with the numpy engine and return the stream metric of its first word."""
    takes: list[Take] = []
    if streams.words:
        scores, ends = score(network, streams.takes)
        takes = [
            Take(row, ends, start, stop, speaker)
            for row, (start, stop, speaker) in zip(scores, streams.words, strict=True)
        ]
    others, ends = score(network, streams.others)
    return StreamReport(takes, list(others), ends, streams.hours)


def clip_metric(network: CRNN, streams: Streams) -> float:
    """Return the clip metric: every clip lasts two seconds and is heard from silence on.

    A clip with the word ends 0.4 s after it; other speech is cut up whole. A clip's score is the
    highest of its steps.
    """
    hop = network.features.hop
    with_word = [
        frames[max(0, (stop // hop) + 40 - CLIP) : (stop // hop) + 40][-CLIP:]
        for frames, (_, stop, _) in zip(streams.takes, streams.words, strict=True)
    ]
    whole = streams.others.shape[1] // CLIP * CLIP
    without = streams.others[:, :whole].reshape(-1, CLIP, streams.others.shape[2])
    positive = score(network, np.stack(with_word))[0].max(axis=1)
    negative = score(network, without)[0].max(axis=1)
    labels = np.arange(len(positive) + len(negative)) < len(positive)
    return metrics.clip_metric(np.concatenate([positive, negative]), labels)


def score(
    network: CRNN, frames: npt.NDArray[np.float32 | np.float16]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Return the first word's probability at every step [streams, steps], and the steps' ends."""
    state = network.initial_state(len(frames))
    chunk = 64 * network.architecture.stride_frames
    chunks = (
        frames[:, start : start + chunk].astype(np.float32)
        for start in range(0, frames.shape[1], chunk)
    )
    joined = np.concatenate([network.steps(state, part)[0][:, 0] for part in chunks], axis=1)
    f, a = network.features, network.architecture
    ends = np.array([f.frame_end(a.frames_of_step(k) - 1) for k in range(joined.shape[1])])
    return joined, ends


def _at_level_of(pcm: Pcm, other: Pcm) -> Pcm:
    """Scale `pcm` to the peak of `other`, so that what comes before a take is as loud."""
    peak = max(1, int(np.abs(pcm.astype(np.int32)).max(initial=0)))
    target = int(np.abs(other.astype(np.int32)).max(initial=0))
    return (pcm.astype(np.float32) * (target / peak)).astype(np.int16)


def _quiet(count: int, rng: np.random.Generator) -> Pcm:
    """Return the noise of a microphone in a quiet room, -78 dBFS."""
    return rng.normal(0, 4, count).round().astype(np.int16)
