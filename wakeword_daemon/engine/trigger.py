"""Turns probabilities into detections: one for each time the word is spoken."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from wakeword_daemon.clock import samples
from wakeword_daemon.errors import ConfigError

RELEASE = 0.5
"""Share of the threshold below which the score must fall before the word can fire again."""


@dataclass(frozen=True, slots=True)
class WordSettings:
    """How the scores of one word become detections.

    Attributes:
        threshold: smoothed probability from which the word is reported, in (0, 1]; None for the
            model's own.
        false_accepts_per_hour: instead of a threshold, the false accepts an hour that are
            tolerated, above 0; `ModelCard.threshold_within` says which threshold that is.
        smoothing: steps of 80 ms over which probabilities are averaged, at least 1.
        refractory: seconds of audio after a detection in which the word cannot fire again.

    Raises:
        ConfigError: a value is out of range.

    """

    threshold: float | None = None
    smoothing: int = 1
    refractory: float = 1.0
    false_accepts_per_hour: float | None = None

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.threshold is not None and self.false_accepts_per_hour is not None:
            raise ConfigError("choose a threshold or the false accepts an hour, not both")
        if self.threshold is not None and not 0 < self.threshold <= 1:
            raise ConfigError(f"a threshold must be above 0 and at most 1, not {self.threshold}")
        if self.smoothing < 1:
            raise ConfigError(f"smoothing needs at least 1 step, not {self.smoothing}")
        if self.refractory < 0:
            raise ConfigError(f"a refractory time cannot be negative: {self.refractory}")


@dataclass(slots=True)
class Trigger:
    """Fires once when the smoothed score of a word crosses its threshold from below.

    It fires again only when the score has fallen below half the threshold (hysteresis) and the
    refractory time has passed on the sample clock.

    Attributes:
        threshold: see `WordSettings`.
        smoothing: see `WordSettings`.
        refractory: see `WordSettings`.
        score: the smoothed score of the last step, 0 to 1.

    """

    threshold: float
    smoothing: int = 1
    refractory: float = 1.0
    score: float = field(default=0.0, repr=False)
    _recent: deque[float] = field(default_factory=deque, repr=False)
    _released: bool = field(default=True, repr=False)
    _ready_at: int = field(default=0, repr=False)

    def step(self, probability: float, sample: int) -> float | None:
        """Take the probability of one step.

        Args:
            probability: 0 to 1.
            sample: index one past the last sample behind it.

        Returns:
            the smoothed score if it fires, else None.

        """
        score = self.score = probability if self.smoothing == 1 else self._smooth(probability)
        if score < self.threshold * RELEASE:
            self._released = True
        elif score >= self.threshold and self._released and sample >= self._ready_at:
            self._released = False
            self._ready_at = sample + samples(self.refractory)
            return score
        return None

    def reset(self) -> None:
        """Forget the scores, but not the refractory time, which the sample clock counts."""
        self._recent.clear()
        self._released = True
        self.score = 0.0

    def _smooth(self, probability: float) -> float:
        self._recent.append(probability)
        if len(self._recent) > self.smoothing:
            self._recent.popleft()
        # Divided by the full length, so that the first steps of a stream cannot fire early.
        return sum(self._recent) / self.smoothing
