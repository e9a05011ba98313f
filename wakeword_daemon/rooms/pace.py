"""Real time, to which a room is held that sends faster."""

from __future__ import annotations

_AHEAD = 10.0
"""Seconds of audio that may come at once: what a network kept back arrives in one burst."""
_RATE = 1.01
"""Seconds of audio a second: a room's clock may run faster than ours, and must not fall behind."""


class Pace:
    """How much audio a room may still send at once; `now` is any clock in seconds."""

    __slots__ = ("_allowance", "_at")

    def __init__(self, now: float) -> None:
        self._allowance = _AHEAD
        self._at = now

    def spend(self, seconds: float, now: float) -> float:
        """Count audio that came; return for how many seconds no more should be read."""
        gained = (now - self._at) * _RATE
        self._allowance = min(_AHEAD, self._allowance + gained) - seconds
        self._at = now
        return max(0.0, -self._allowance / _RATE)
