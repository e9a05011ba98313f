"""What is known of a daemon by watching it: the present, and the last seconds."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wakeword_daemon.events.items import Away
from wakeword_daemon.events.protocol import Detection, Info, StateChanged, Telemetry

if TYPE_CHECKING:
    from wakeword_daemon.events.items import Watched

HOPS = 125
"""Hops that are kept: 10 s."""

_DETECTIONS = 50

_HEARING = ("listening", "degraded")
"""States in which audio arrives."""


@dataclass
class WatchedDaemon:
    """A daemon as it is known from what `events.client.watch` yields.

    Attributes:
        state: as in the event `state`, or "away" where no daemon is there.
        reason: why, in words.
        device: the microphone in use.
        rate: its samples a second.
        words: names of the wake words.
        thresholds: of each word.
        scores: of each word, the last ones, the newest at the end.
        level, noise: of the newest hop, dBFS; None before the first.
        detections: the last ones, the newest at the end.

    """

    state: str = "away"
    reason: str = "connecting"
    device: str | None = None
    rate: int | None = None
    words: list[str] = field(default_factory=list)
    thresholds: dict[str, float] = field(default_factory=dict)
    scores: dict[str, deque[float]] = field(default_factory=dict)
    level: float | None = None
    noise: float | None = None
    detections: deque[Detection] = field(default_factory=lambda: deque(maxlen=_DETECTIONS))

    def take(self, item: Watched) -> None:
        """Add an item."""
        match item:
            case Info():
                models = [model for program in item.wake for model in program.models]
                self._say(item.state, item.reason)
                self._choose({model.name: model.threshold for model in models})
            case StateChanged():
                self._say(item.state, item.reason)
                self.device, self.rate = item.device, item.rate
            case Away():
                self._say("away", item.reason)
                self.device = self.rate = None
            case Detection():
                self.detections.append(item)
            case Telemetry():
                self._choose(item.thresholds)
                if self.state in _HEARING:  # a late batch may follow the news of a pause
                    self.level, self.noise = item.level[-1], item.noise[-1]
                for word, scores in item.scores.items():
                    self.scores[word].extend(scores)

    def _say(self, state: str, reason: str) -> None:
        self.state, self.reason = state, reason
        if state not in _HEARING:
            self.level = self.noise = None

    def _choose(self, thresholds: dict[str, float]) -> None:
        self.thresholds = dict(thresholds)
        self.words = list(thresholds)
        self.scores = {word: self.scores.get(word, deque(maxlen=HOPS)) for word in thresholds}
