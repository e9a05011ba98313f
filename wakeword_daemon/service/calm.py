"""Decides whether the room is calm, so that the next audio may be fetched a little later.

A room is calm while each hop is about as loud as the quietest recent ones and no score has risen.
Change counts, not level, so a room with a fan is calm as well. Where speech is hardly louder than
the noise, or the noise itself is unsteady, the room does not count as calm.
"""

from __future__ import annotations

import math

from wakeword_daemon.clock import HOP, seconds

_SOUND = 2.0
"""Power of a hop, over that of the noise floor, from which it is a sound: as loud as the noise."""

_QUIETEST = 30.0
"""Noise floor, mean square of a sample, below which a room counts as having this much: -75 dBFS."""

_RISE = 1.0093
"""Factor by which the noise floor rises in a hop at most, 0.5 dB a second; it falls at once."""

_NEAR = 0.05
"""Share of a word's threshold from which its score counts as risen."""

_REST = 2.0
"""Seconds without a sound after which the room is calm."""


class Calm:
    """Follows the room hop by hop."""

    def __init__(self) -> None:
        self._floor = math.inf
        self._quiet = 0.0

    @property
    def lasts(self) -> bool:
        """Whether the room is calm."""
        return self._quiet > _REST

    def hop(self, power: float, nearness: float) -> None:
        """Add a hop.

        Args:
            power: mean square of its samples, int16.
            nearness: share of its threshold that the highest score has reached.

        """
        self._floor = max(min(power, self._floor * _RISE), _QUIETEST)
        if power > self._floor * _SOUND or nearness > _NEAR:
            self._quiet = 0.0
        else:
            self._quiet += seconds(HOP)
