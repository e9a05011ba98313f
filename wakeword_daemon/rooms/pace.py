"""Real time, to which a room is held that sends faster."""

from __future__ import annotations

_AHEAD = 10.0
"""Seconds of audio that may come at once: what a network kept back arrives in one burst."""
_RATE = 1.01
"""Seconds of audio a second: a room's clock may run faster than ours, and must not fall behind."""


class Pace:
    """How much audio a room may still send at once; `now` is any clock in seconds.

    The audio so far lasts until a moment that moves by what each piece adds, and that is never
    longer ago than _AHEAD: the generic cell rate algorithm (ITU-T I.371).
    """

    __slots__ = ("_until",)

    def __init__(self, now: float) -> None:
        self._until = now - _AHEAD / _RATE

    def spend(self, seconds: float, now: float) -> float:
        """Count audio that came; return for how many seconds no more should be read."""
        until, earliest = self._until, now - _AHEAD / _RATE
        self._until = until = (until if until > earliest else earliest) + seconds / _RATE
        return until - now if until > now else 0.0
