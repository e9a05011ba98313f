"""Measuring a network on streams, by the engine that ships."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.engine.closerlook import CloserLook
from wakeword_daemon.engine.crnn import CRNN
from wakeword_daemon.engine.logmel import LogMel
from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.engine.streams import new_stream
from wakeword_daemon.pcm import Pcm
from wakeword_daemon.training.measure import metrics
from wakeword_daemon.training.measure.channel import Background, Wave, transmit
from wakeword_daemon.training.measure.conditions import CLEAN, Condition
from wakeword_daemon.training.measure.metrics import (
    TARGETS,
    ErrorRates,
    ScoredTake,
    Scores,
    false_accepts,
    operating_points,
)
from wakeword_daemon.training.measure.scenes import (
    SpokenTake,
    SpokenWord,
    Surroundings,
    quiet,
    scene,
)

STREAM_SECONDS = 60
"""Length of the streams that other speech is cut into, to score many at once."""
CLIP = 200
"""Frames of a clip of the clip metric: two seconds."""
SHORTEST_SENTENCE = 1.5
"""Seconds; what is shorter is no sentence to speak before or after a word."""


@dataclass(frozen=True)
class OtherSpeech:
    """A recording without the word.

    Attributes:
        pcm: int16[n] at 16 kHz.
        source: the collection it comes from.
        sentence: whether more than one word is said.

    """

    pcm: Pcm
    source: str
    sentence: bool = True


@dataclass(frozen=True)
class SpeechSet:
    """Recordings to measure with, unchanged.

    Attributes:
        takes: takes of the word.
        others: recordings without it.
        noise: recordings in which nobody speaks.
        rooms: impulse responses of rooms; empty: rooms are simulated.
        seed: of whatever is drawn: what is heard before and after each take, rooms and noise.

    """

    takes: list[SpokenTake]
    others: list[OtherSpeech]
    noise: Sequence[Pcm] = ()
    rooms: Sequence[Wave] = ()
    seed: int = 0

    @functools.cached_property
    def around(self) -> Surroundings:
        """What is heard beside the word; any other speech serves where there are no sentences."""
        pieces = [one.pcm for one in self.others]
        sentences = [
            one.pcm
            for one in self.others
            if one.sentence and len(one.pcm) >= SHORTEST_SENTENCE * SAMPLE_RATE
        ] or pieces
        background = Background(self.noise, self.rooms, sentences)
        return Surroundings(np.concatenate(pieces), sentences, background)


@dataclass(frozen=True)
class AudioStreams:
    """What a microphone hears, as samples.

    Attributes:
        takes: one stream a take, int16[takes, samples].
        words: where the word is in each.
        others: by source, streams without the word, int16[streams, samples].
        seconds: by source, how much of them is speech; the rest fills up the last stream.

    """

    takes: Pcm
    words: list[SpokenWord]
    others: dict[str, Pcm]
    seconds: dict[str, float]


@dataclass(frozen=True)
class FeatureStreams:
    """What a microphone hears, as log-mel frames.

    Attributes:
        takes: one stream a take, [takes, frames, mels].
        words: where the word is in each.
        others: by source, streams without the word, [streams, frames, mels].
        hours: by source, the speech in `others`.

    """

    takes: npt.NDArray[np.float32]
    words: list[SpokenWord]
    others: Mapping[str, npt.NDArray[np.float32 | np.float16]]
    hours: Mapping[str, float]


def render(data: SpeechSet, condition: Condition = CLEAN) -> AudioStreams:
    """Lay takes and other speech out as streams, heard under a condition.

    The same speech before each take under every condition. Other speech is heard only under
    conditions in which false accepts are counted, all of it once.
    """
    scenes = [
        scene(take, _said_first(data.takes, index), condition, data.around, (data.seed, index))
        for index, take in enumerate(data.takes)
    ]
    rng = np.random.default_rng(data.seed)
    longest = max((len(stream) for stream, _ in scenes), default=0)
    padded = [np.concatenate([stream, quiet(longest - len(stream), rng)]) for stream, _ in scenes]
    heard: dict[str, list[Pcm]] = {}
    order = rng.permutation(len(data.others)).tolist()
    for index in order if condition.counts_false_accepts else ():
        draws = np.random.default_rng([data.seed, index])
        one = data.others[index]
        spoiled = transmit(one.pcm, condition, data.around.background, draws)
        heard.setdefault(one.source, []).append(spoiled)
    return AudioStreams(
        takes=np.stack(padded) if padded else np.empty((0, 0), np.int16),
        words=[word for _, word in scenes],
        others={source: in_streams(pieces) for source, pieces in sorted(heard.items())},
        seconds={source: sum(map(len, pieces)) / SAMPLE_RATE for source, pieces in heard.items()},
    )


def build_streams(
    data: SpeechSet, features: FeatureSettings, condition: Condition = CLEAN
) -> FeatureStreams:
    """Return the log-mel frames of what `render` gives."""
    audio = render(data, condition)
    front_end = LogMel(features)
    return FeatureStreams(
        takes=stream_frames(audio.takes, front_end),
        words=audio.words,
        others={source: stream_frames(pcm, front_end) for source, pcm in audio.others.items()},
        hours={source: seconds / 3600 for source, seconds in audio.seconds.items()},
    )


def in_streams(pieces: Sequence[Pcm]) -> Pcm:
    """Lay recordings end to end in streams of a minute, the last filled up: int16[streams, n]."""
    long = np.concatenate(pieces)
    length = STREAM_SECONDS * SAMPLE_RATE
    count = max(1, -(-len(long) // length))
    rest = quiet(count * length - len(long), np.random.default_rng(0))
    return np.concatenate([long, rest]).reshape(count, length)


def stream_frames(
    streams: Pcm, front_end: LogMel, dtype: npt.DTypeLike = np.float32
) -> npt.NDArray[np.float32]:
    """Return the log-mel frames of streams, [streams, F, mels]."""
    f = front_end.settings
    count = max(0, (streams.shape[1] - f.window) // f.hop + 1)
    frames = np.empty((len(streams), count, f.mels), dtype)
    for index, pcm in enumerate(streams):
        frames[index] = front_end.frames(pcm)
    return frames


@dataclass(frozen=True)
class StreamReport:
    """The stream metric of one network.

    Attributes:
        takes: the scores of the spoken words.
        others: the scores of other speech, by source, stream by stream.
        ends: the sample at which each step of the longest of `others` ends.
        hours_of: other speech, by source.

    """

    takes: list[ScoredTake]
    others: Mapping[str, list[Scores]]
    ends: npt.NDArray[np.int64]
    hours_of: Mapping[str, float] = field(default_factory=dict)

    @property
    def hours(self) -> float:
        """Other speech of all sources together."""
        return sum(self.hours_of.values())

    @functools.cached_property
    def points(self) -> list[ErrorRates]:
        """The operating points, one for each of `metrics.TARGETS`."""
        return operating_points(self.takes, self.streams(), self.ends, self.hours)

    def streams(self) -> list[Scores]:
        """Return the scores of other speech of all sources, stream by stream."""
        return [scores for streams in self.others.values() for scores in streams]

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
        return sum(take.missed(threshold) for take in self.takes)

    def accepts(self, threshold: float, source: str | None = None) -> int:
        """Return how often other speech, or that of one source, fires."""
        streams = self.streams() if source is None else self.others[source]
        return false_accepts(streams, self.ends, threshold)

    def mean_miss(self) -> float:
        """Return the miss rate averaged over the operating points."""
        return float(np.mean([p.miss_rate for p in self.points]))

    def joined(self, other: StreamReport) -> StreamReport:
        """Return the report of both sets of streams together."""
        sources = sorted({*self.others, *other.others})
        return StreamReport(
            self.takes + other.takes,
            {s: [*self.others.get(s, []), *other.others.get(s, [])] for s in sources},
            max(self.ends, other.ends, key=len),
            {s: self.hours_of.get(s, 0) + other.hours_of.get(s, 0) for s in sources},
        )


def measure(network: CRNN, streams: FeatureStreams) -> StreamReport:
    """Score streams with the engine and return the stream metric."""
    takes: list[ScoredTake] = []
    longest = np.empty(0, np.int64)
    if streams.words:
        scores, ends = score(network, streams.takes)
        takes = [
            ScoredTake(row, ends, word.start, word.stop, word.speaker, word.said_before)
            for row, word in zip(scores, streams.words, strict=True)
        ]
    others: dict[str, list[Scores]] = {}
    for source, frames in streams.others.items():
        scores, ends = score(network, frames)
        others[source] = list(scores)
        longest = max(longest, ends, key=len)
    return StreamReport(takes, others, longest, streams.hours)


def clip_metric(network: CRNN, streams: FeatureStreams) -> float:
    """Return the clip metric: every clip lasts two seconds and is heard from silence on.

    A clip with the word ends 0.4 s after it; other speech is cut up whole. A clip's score is the
    highest of its steps.
    """
    hop = network.features.hop
    with_word = [
        frames[max(0, (word.stop // hop) + 40 - CLIP) : (word.stop // hop) + 40][-CLIP:]
        for frames, word in zip(streams.takes, streams.words, strict=True)
    ]
    without = [
        frames[:, : frames.shape[1] // CLIP * CLIP].reshape(-1, CLIP, frames.shape[2])
        for frames in streams.others.values()
    ]
    positive = score(network, np.stack(with_word))[0].max(axis=1)
    negative = score(network, np.concatenate(without))[0].max(axis=1)
    labels = np.arange(len(positive) + len(negative)) < len(positive)
    return metrics.clip_metric(np.concatenate([positive, negative]), labels)


def score(
    network: CRNN, frames: npt.NDArray[np.float32 | np.float16]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Return the probability at every step [streams, steps], and the steps' ends.

    The one place that runs the engine, with closer looks as in the detector.
    """
    f, a = network.features, network.architecture
    steps = max(0, (frames.shape[1] - a.kernel_frames) // a.stride_frames + 1)
    scores = np.empty((len(frames), steps), np.float32)
    stream = new_stream([network])
    closer = CloserLook([network], stream)
    for row, stored in zip(scores, frames, strict=True):
        heard = _float32(stored)
        stream.reset()
        made = stream.hear_frames(heard)
        closer.revise_frames(heard, made)
        row[:] = [probability for _, _, (probability,) in made]
    ends = np.array([f.frame_end(a.frames_of_step(k) - 1) for k in range(steps)], np.int64)
    return scores, ends


def _float32(frames: npt.NDArray[np.float32 | np.float16]) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(frames, np.float32)


def _said_first(takes: Sequence[SpokenTake], index: int) -> SpokenTake:
    """Return another take by the same speaker, or the take itself if there is none."""
    turned = [*takes[index + 1 :], *takes[: index + 1]]
    return next(take for take in turned if take.speaker == takes[index].speaker)
