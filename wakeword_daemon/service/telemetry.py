"""What the daemon measures: for each detection, and for each hop while there are watchers."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from wakeword_daemon.clock import HOP, SAMPLE_RATE
from wakeword_daemon.events.audio import hop_levels
from wakeword_daemon.events.protocol import Telemetry
from wakeword_daemon.levels import NOISE_HOPS, level, noise_floor, signal_to_noise

if TYPE_CHECKING:
    from collections.abc import Callable

    from wakeword_daemon.audio.ring import RingBuffer
    from wakeword_daemon.pcm import Samples

_BATCH = 3
"""Hops that are sent together: four batches a second."""

_WORD = SAMPLE_RATE // HOP + 1
"""Hops before the end of a word that hold it: the last second."""


def noise_and_snr(ring: RingBuffer, end: int) -> tuple[float, float]:
    """Return the noise floor (dBFS) and the signal-to-noise ratio (dB) of a word.

    Args:
        ring: the audio.
        end: index one past the word's last sample.

    """
    levels = hop_levels(ring, end)
    noise = noise_floor(levels)
    return round(noise, 1), round(signal_to_noise(levels[-_WORD:], noise), 1)


class Telemeter:
    """Collects what was measured in each hop, and sends it in batches.

    Used on the source's thread.

    Args:
        ring: where the audio of the last seconds is, for the noise floor.
        thresholds: returns the threshold of each word.
        send: called with each batch.

    """

    def __init__(
        self,
        ring: RingBuffer,
        thresholds: Callable[[], dict[str, float]],
        send: Callable[[Telemetry], None],
    ) -> None:
        self._ring = ring
        self._thresholds = thresholds
        self._send = send
        self._recent: deque[float] = deque(hop_levels(ring, ring.clock), maxlen=NOISE_HOPS)
        self._level: list[float] = []
        self._noise: list[float] = []
        self._scores: list[dict[str, float]] = []

    def take(self, hop: int, end: int, pcm: Samples, scores: dict[str, float]) -> None:
        """Take what was measured in a hop.

        Args:
            hop: its number, counted from 1.
            end: index one past its last sample.
            pcm: its samples, int16[n].
            scores: the smoothed probability of each word.

        """
        if self._scores and self._scores[-1].keys() != scores.keys():
            self._begin()  # the words were changed
        loudness = level(pcm)
        self._recent.append(loudness)
        self._level.append(round(loudness, 1))
        self._noise.append(round(noise_floor(self._recent), 1))
        self._scores.append(scores)
        if len(self._scores) == _BATCH:
            self._send(
                Telemetry(
                    hop=hop - _BATCH + 1,
                    sample=end,
                    wall_time=round(self._ring.wall_time(end), 3),
                    level=self._level,
                    noise=self._noise,
                    scores={word: [round(one[word], 6) for one in self._scores] for word in scores},
                    thresholds=self._thresholds(),
                )
            )
            self._begin()

    def _begin(self) -> None:
        self._level, self._noise, self._scores = [], [], []
