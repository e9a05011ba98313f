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
from wakeword_daemon.training import metrics
from wakeword_daemon.training.metrics import (
    TARGETS,
    OperatingPoint,
    Scores,
    Take,
    false_accepts,
    operating_points,
)

Pcm = npt.NDArray[np.int16]

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
    others: npt.NDArray[np.float32]
    hours: float


def build_streams(
    takes: Sequence[SpokenTake], others: Sequence[Pcm], features: FeatureSettings, seed: int = 0
) -> Streams:
    """Lay takes and other speech out as streams.

    Args:
        takes: takes of the word.
        others: recordings without it; all are heard once, in a seeded order.
        features: the front end.
        seed: of the order, and of what is heard before each take.

    """
    rng = np.random.default_rng(seed)
    front_end = LogMel(features)
    order = rng.permutation(len(others))
    long = np.concatenate([others[i] for i in order])
    lanes = long[: len(long) // LANES * LANES].reshape(LANES, -1)
    streams: list[Pcm] = []
    words: list[tuple[int, int, str]] = []
    for take in takes:
        begin = int(rng.integers(0, len(long) - samples(LEAD)))
        lead = _at_level_of(long[begin : begin + samples(LEAD)], take.pcm)
        pause = _quiet(samples(PAUSE), rng)
        before = len(lead) + len(pause)
        streams.append(np.concatenate([lead, pause, take.pcm, _quiet(samples(TAIL), rng)]))
        words.append((before + take.start, before + take.stop, take.speaker))
    longest = max(map(len, streams), default=0)
    padded = [np.concatenate([s, _quiet(longest - len(s), rng)]) for s in streams]
    spoken = np.stack(padded) if padded else np.empty((0, longest), np.int16)
    return Streams(
        takes=front_end.advance(front_end.initial_state(len(spoken)), spoken),
        words=words,
        others=front_end.advance(front_end.initial_state(LANES), lanes),
        hours=lanes.size / SAMPLE_RATE / 3600,
    )


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
    points: list[OperatingPoint] = field(init=False)

    def __post_init__(self) -> None:
        """Find the operating points."""
        points = operating_points(self.takes, self.others, self.ends, self.hours)
        object.__setattr__(self, "points", points)

    def at(self, target: float) -> OperatingPoint:
        """Return the operating point of one of `metrics.TARGETS`."""
        return self.points[TARGETS.index(target)]

    def at_threshold(self, threshold: float) -> OperatingPoint:
        """Return what a threshold costs."""
        missed = float(np.mean([take.peak() < threshold for take in self.takes]))
        count = false_accepts(self.others, self.ends, threshold)
        return OperatingPoint(threshold, missed, count / self.hours)

    def mean_miss(self) -> float:
        """Return the miss rate averaged over the operating points: what training selects by."""
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
    network: CRNN, frames: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Return the first word's probability at every step [streams, steps], and the steps' ends."""
    state = network.initial_state(len(frames))
    chunk = 64 * network.architecture.stride_frames
    chunks = [frames[:, start : start + chunk] for start in range(0, frames.shape[1], chunk)]
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
