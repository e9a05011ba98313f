"""The two metrics of a wake word: the clip metric and the stream metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wakeword_daemon.clock import samples
from wakeword_daemon.engine.trigger import RELEASE, Trigger

Scores = npt.NDArray[np.float32]
"""Probabilities of one stream, one a step."""

TARGETS = (0.1, 0.25, 0.5, 1.0, 2.0)
"""False accepts an hour at which miss rates are reported."""

WORD_TAIL = 0.75
"""Seconds after the end of a word in which a detection counts as its detection."""


def clip_metric(scores: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Return the area under the curve of false rejects over false accepts, in [0, 1].

    As in the source report, both are divided by the count of *all* clips, so the area scales
    with the share of positives: compare ratios on one set, never values across sets. Clips of
    equal score pass the threshold together, a straight line of the curve. O(n log n).

    Args:
        scores: the word's probability for every clip.
        labels: whether the word is in the clip.

    """
    score = np.asarray(scores, np.float64)
    positive = np.asarray(labels, bool)
    order = np.argsort(-score, kind="stable")
    score, positive = score[order], positive[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
    accepted = np.concatenate([[0], np.cumsum(~positive)[last_of_tie]]) / len(score)
    rejected = (positive.sum() - np.concatenate([[0], np.cumsum(positive)[last_of_tie]])) / len(
        score
    )
    return float(np.trapezoid(rejected, accepted))


@dataclass(frozen=True, slots=True)
class ScoredTake:
    """The scores of a stream in which the word is spoken.

    Attributes:
        scores: one probability a step.
        ends: the sample at which each step ends.
        start, stop: the samples between which the word is spoken.
        speaker: who speaks.
        said_before: the sample at which the speaker began to say it for the first time, where this
            is the second; None where the word is spoken once.

    """

    scores: Scores
    ends: npt.NDArray[np.int64]
    start: int
    stop: int
    speaker: str
    said_before: int | None = None

    def peak(self) -> float:
        """Return the highest score while the word is spoken and just after."""
        heard = (self.ends > self.start) & (self.ends <= self.stop + samples(WORD_TAIL))
        return float(self.scores[heard].max(initial=0.0))

    def missed(self, threshold: float) -> bool:
        """Return whether a detector with this threshold misses the word.

        A repeated word is detected only if the detector fires again: the score has fallen in
        between, and the refractory time after the first is over.
        """
        if self.peak() < threshold:
            return True
        if self.said_before is None:
            return False
        trigger = Trigger(threshold)
        listened = (self.ends > self.said_before) & (self.ends <= self.stop + samples(WORD_TAIL))
        fired = [
            end
            for score, end in zip(
                self.scores[listened].tolist(), self.ends[listened].tolist(), strict=True
            )
            if trigger.step(score, end) is not None
        ]
        return not any(end > self.start for end in fired)


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """What a threshold costs: words missed, and false accepts an hour."""

    threshold: float
    miss_rate: float
    false_accepts_per_hour: float


def false_accepts(streams: Sequence[Scores], ends: npt.NDArray[np.int64], threshold: float) -> int:
    """Count the detections in streams without the word, by the rules of the running detector."""
    count = 0
    for scores in streams:
        trigger = Trigger(threshold)
        # Only steps near the threshold can fire; a step below the release between them re-arms.
        interesting = np.flatnonzero(scores >= threshold * RELEASE)
        previous = -1
        for i in interesting.tolist():
            if previous >= 0 and i > previous + 1:
                trigger.step(0.0, int(ends[i - 1]))
            count += trigger.step(float(scores[i]), int(ends[i])) is not None
            previous = i
    return count


def operating_points(
    takes: Sequence[ScoredTake],
    streams: Sequence[Scores],
    ends: npt.NDArray[np.int64],
    hours: float,
    targets: Sequence[float] = TARGETS,
) -> list[ErrorRates]:
    """Return, for each target, the lowest threshold whose false accepts an hour stay within it.

    Where the hours are fewer than a target's false accept takes (ten for 0.1 an hour), the
    threshold lets none through, which does not show that it keeps within the target.
    """
    points = []
    for target in targets:
        threshold = lowest_threshold(streams, ends, target * hours)
        count = false_accepts(streams, ends, threshold)
        missed = float(np.mean([t.missed(threshold) for t in takes])) if takes else float("nan")
        points.append(ErrorRates(threshold, missed, count / hours))
    return points


def lowest_threshold(
    streams: Sequence[Scores], ends: npt.NDArray[np.int64], allowed: float
) -> float:
    """Return the lowest threshold at which streams without the word fire at most so often.

    It is sought just above the scores that occur, where false accepts vanish.
    """
    highest = np.sort(np.concatenate(streams))[::-1]
    most = int(allowed * 12) + 50
    candidates = np.unique(np.nextafter(highest[:most], np.float32(2), dtype=np.float32))
    low, high = 0, len(candidates) - 1  # the count falls, near enough, with the threshold
    while low < high:
        middle = (low + high) // 2
        if false_accepts(streams, ends, float(candidates[middle])) <= allowed:
            high = middle
        else:
            low = middle + 1
    return min(float(candidates[high]), 1.0)


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a share (Wilson 1927)."""
    if not trials:
        return 0.0, 1.0
    z = 1.959964
    share = successes / trials
    centre = share + z * z / (2 * trials)
    spread = z * float(np.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)))
    scale = 1 + z * z / trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def poisson(count: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of an expected count (Byar's approximation).

    Divided by hours it is the interval of a rate: none in one hour may still be 3.7 an hour.
    """
    z = 1.959964

    def bound(n: int, sign: int) -> float:
        return float(n * (1 - 1 / (9 * n) + sign * z / (3 * np.sqrt(n))) ** 3)

    return (bound(count, -1) if count else 0.0), bound(count + 1, 1)


def det_curve(
    takes: Sequence[ScoredTake],
    streams: Sequence[Scores],
    ends: npt.NDArray[np.int64],
    hours: float,
    points: int = 80,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the detection error trade-off: false accepts an hour and miss rates, [points] each.

    Thresholds are spread evenly in log odds, from 0.02 up to the highest score there is.
    """
    peaks = np.array([take.peak() for take in takes])
    top = min(max(float(peaks.max(initial=0)), *(float(s.max()) for s in streams)), 1 - 1e-6)
    odds = np.linspace(np.log(0.02 / 0.98), np.log(top / (1 - top)), points)
    thresholds = 1 / (1 + np.exp(-odds))
    accepts = [false_accepts(streams, ends, float(t)) / hours for t in thresholds]
    misses = [float(np.mean(peaks < t)) for t in thresholds]
    return np.array(accepts), np.array(misses)
