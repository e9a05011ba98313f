"""Finds a threshold for a room, from the scores measured there while nobody said the word."""

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
"""The lowest threshold that is considered."""
MARGIN = 0.25
"""How far a threshold lies above the highest score that must not trigger, in log-odds."""
CONFIDENCE = 0.9
_HIGHEST = 0.999_999
_HOPS_AN_HOUR = 3600 * SAMPLE_RATE / HOP


@dataclass
class RoomScores:
    """The scores of one word, of which only those that could matter are kept.

    Attributes:
        refractory: seconds after a detection in which the word is not reported again.
        hops: number of hops so far.

    """

    refractory: float = 1.0
    hops: int = 0
    _loud: list[tuple[int, float]] = field(default_factory=list)

    def add(self, scores: Iterable[float]) -> None:
        """Add the smoothed scores of the next hops, 0 to 1."""
        for score in scores:
            if score >= LOWEST * RELEASE:  # lower scores release every trigger
                self._loud.append((self.hops, score))
            self.hops += 1

    @property
    def hours(self) -> float:
        """Hours of audio that the scores come from."""
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
        # A trigger fires at a score, so all thresholds between two scores have the same effect.
        scores = sorted({score for _, score in self._loud if score >= LOWEST}, reverse=True)
        too_low = next((s for s in scores if self.false_accepts(s) > allowed), None)
        if too_low is None:
            return LOWEST
        odds = math.log(max(too_low, 1e-9) / max(1 - too_low, 1e-9)) + MARGIN
        above = [score for score in scores if score > too_low]
        within = 1 / (1 + math.exp(-odds))
        # Stay below the next score, which is allowed to fire.
        return min(within, (too_low + above[-1]) / 2 if above else within, _HIGHEST)


@dataclass(frozen=True)
class Proposal:
    """A proposed threshold, and what to expect of it.

    Attributes:
        threshold: the threshold.
        false_accepts: how often it would have reported the word here.
        at_most: upper limit of its false accepts an hour, at a confidence of 90 %.
        miss_rate: share of words that are missed at it, 0 to 1, as measured on the model's card;
            None if no threshold as high was measured.
        measured_from: the lowest threshold on the card; None if there is none.

    """

    threshold: float
    false_accepts: int
    at_most: float
    miss_rate: float | None
    measured_from: float | None


def propose(scores: RoomScores, card: ModelCard, rate: float) -> Proposal:
    """Propose a threshold for at most `rate` false accepts an hour.

    It is never below the thresholds on the model's card, because nothing is known about those.
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
    """Return the mean at which `count` or fewer events have a probability of 10 %.

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
