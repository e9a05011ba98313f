"""Near misses: scores that rose towards the threshold, fell again, and reported nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wakeword_daemon.clock import samples
from wakeword_daemon.engine.trigger import RELEASE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wakeword_daemon.engine import Detection, Step

APART = samples(2.0)
"""Samples around a detection in which no near miss of the same word counts: it is the same word, or
its echo."""


@dataclass(frozen=True, slots=True)
class NearMiss:
    """The highest score of a word that was not reported."""

    word: str
    score: float
    threshold: float
    sample: int


class NearMisses:
    """Follows the scores of every word.

    Args:
        share: of the threshold, 0 to 1, from which a score counts as near.

    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._peaks: dict[str, NearMiss] = {}
        self._reported: dict[str, int] = {}

    def take(
        self,
        steps: Sequence[Step],
        detections: Sequence[Detection],
        thresholds: Mapping[str, float],
    ) -> list[NearMiss]:
        """Add the next steps and the detections in them; return the near misses that ended.

        Args:
            steps: with the smoothed scores.
            detections: in the same steps.
            thresholds: of every word.

        """
        for detection in detections:
            self._reported[detection.word] = detection.sample
        ended = []
        for step in steps:
            for word, score in step.scores.items():
                near = self._share * thresholds[word]
                peak = self._peaks.get(word)
                if score >= near and (peak is None or score > peak.score):
                    self._peaks[word] = NearMiss(word, score, thresholds[word], step.sample)
                elif peak is not None and self._is_over(peak, score < near * RELEASE, step.sample):
                    del self._peaks[word]
                    if abs(peak.sample - self._reported.get(word, -APART - 1)) > APART:
                        ended.append(peak)
        return ended

    @staticmethod
    def _is_over(peak: NearMiss, fell: bool, sample: int) -> bool:
        # Some time passes first: a score that rises again is the word after all.
        return fell and sample - peak.sample > APART // 2
