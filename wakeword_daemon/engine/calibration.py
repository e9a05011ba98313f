"""A threshold for a room: from the scores that the room itself gave while nobody said the word."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wakeword_daemon.clock import HOP, SAMPLE_RATE
from wakeword_daemon.engine.trigger import RELEASE, Trigger

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wakeword_daemon.engine.modelfile import ModelCard

LOWEST = 0.05
"""Threshold below which none is looked for."""
MARGIN = 0.25
"""Log-odds that a threshold lies above the highest score that it must not let through."""
CONFIDENCE = 0.9
_HIGHEST = 0.999_999
_HOPS_AN_HOUR = 3600 * SAMPLE_RATE / HOP


@dataclass
class RoomScores:
    """The scores of one word, hop by hop, as far as they matter.

    Attributes:
        refractory: seconds in which the word is not reported again.
        hops: heard so far.

    """

    refractory: float = 1.0
    hops: int = 0
    _loud: list[tuple[int, float]] = field(default_factory=list)

    def add(self, scores: Iterable[float]) -> None:
        """Take in the smoothed scores of the next hops, 0 to 1."""
        for score in scores:
            if score >= LOWEST * RELEASE:  # whatever is lower releases every trigger
                self._loud.append((self.hops, score))
            self.hops += 1

    @property
    def hours(self) -> float:
        """Of audio behind the scores."""
        return self.hops / _HOPS_AN_HOUR

    @property
    def highest(self) -> float:
        """The highest score; 0 if all are low."""
        return max((score for _, score in self._loud), default=0.0)

    def false_accepts(self, threshold: float) -> int:
        """Return how often a threshold, `LOWEST` or higher, would have reported the word."""
        trigger = Trigger(threshold, refractory=self.refractory)
        count, before = 0, -2
        for hop, score in self._loud:
            if hop != before + 1:
                trigger.step(0.0, hop * HOP)
            count += trigger.step(score, (hop + 1) * HOP) is not None
            before = hop
        return count

    def threshold(self, rate: float) -> float:
        """Return the lowest threshold that keeps within `rate` false accepts an hour here."""
        allowed = math.floor(rate * self.hours)
        # Whatever fires does so at a score; thresholds between two scores are all alike.
        scores = sorted({score for _, score in self._loud if score >= LOWEST}, reverse=True)
        too_low = next((s for s in scores if self.false_accepts(s) > allowed), None)
        if too_low is None:
            return LOWEST
        odds = math.log(max(too_low, 1e-9) / max(1 - too_low, 1e-9)) + MARGIN
        above = [score for score in scores if score > too_low]
        within = 1 / (1 + math.exp(-odds))
        # Never past the next score that may fire.
        return min(within, (too_low + above[-1]) / 2 if above else within, _HIGHEST)


@dataclass(frozen=True)
class Proposal:
    """A threshold, and what is known of it.

    Attributes:
        threshold: the proposed one.
        false_accepts: how many it would have let through here.
        at_most: false accepts an hour that it stays below with a confidence of 90 %.
        miss_rate: share of words that are missed at it by the model's card, 0 to 1; None where the
            card was measured at no threshold as high.
        measured_from: the lowest threshold that the card was measured at; None for none.

    """

    threshold: float
    false_accepts: int
    at_most: float
    miss_rate: float | None
    measured_from: float | None


def propose(scores: RoomScores, card: ModelCard, rate: float) -> Proposal:
    """Propose a threshold for at most `rate` false accepts an hour.

    It is never lower than the model's card was measured at: nothing is known of what that brings.
    """
    points = sorted(card.operating_points, key=lambda point: point.threshold)
    lowest = points[0].threshold if points else None
    threshold = round(max(scores.threshold(rate), lowest or 0.0), 6)
    count = scores.false_accepts(threshold)
    return Proposal(
        threshold=threshold,
        false_accepts=count,
        at_most=upper_bound(count) / scores.hours,
        miss_rate=next((p.miss_rate for p in points if p.threshold >= threshold), None),
        measured_from=lowest,
    )


def upper_bound(count: int) -> float:
    """Return the expected number that makes `count` or fewer events as unlikely as 10 %.

    The one-sided upper limit of a Poisson mean (Garwood 1936), by bisection.
    """
    low, high = float(count), 10.0 * (count + 3)
    for _ in range(60):
        middle = (low + high) / 2
        term = total = math.exp(-middle)
        for k in range(1, count + 1):
            term *= middle / k
            total += term
        low, high = (middle, high) if total > 1 - CONFIDENCE else (low, middle)
    return high
