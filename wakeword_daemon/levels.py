"""How loud sound is: levels, the noise floor of a room, and the signal-to-noise ratio of a word."""

from __future__ import annotations

import math
from operator import mul
from typing import TYPE_CHECKING

from wakeword_daemon.buffers import view
from wakeword_daemon.clock import HOP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakeword_daemon.pcm import Samples

SILENCE = -100.0
"""dBFS; the level of exact zeros, and the lowest level there is."""

NOISE_HOPS = 100
"""Hops, 8 s of audio, in which a noise floor is measured."""

_QUIET_SHARE = 0.2
"""Share of the hops that stay below the noise floor."""

_ACTIVE = 15.0
"""Decibels below the loudest hop of a word within which a hop is speech, and no pause.

ITU-T P.56 takes a margin of 15.9 dB. In noise it is half the way down to the noise floor, if less.
"""

_LOWEST_RATIO = -20.0
"""Decibels; a lower ratio cannot be distinguished from noise alone."""


def level(pcm: Samples) -> float:
    """Return the RMS level of int16 samples [n] in dBFS, at least `SILENCE`."""
    return decibels(power(view(pcm)))


def power(pcm: memoryview) -> float:
    """Return the mean square of int16 samples [n], 0 without any."""
    return sum(map(mul, pcm, pcm)) / len(pcm) if len(pcm) else 0.0


def of_hops(pcm: Samples) -> list[float]:
    """Return the level of each hop of int16 samples [n] in dBFS; the last hop may be shorter."""
    return [level(pcm[start : start + HOP]) for start in range(0, len(pcm), HOP)]


def decibels(power: float) -> float:
    """Return the level in dBFS, at least `SILENCE`, of int16 samples whose mean square is `power`.

    A square wave at full scale has 0 dBFS.
    """
    return max(SILENCE, 10 * math.log10(power / 2**30 + 1e-12))


def noise_floor(levels: Sequence[float]) -> float:
    """Return the level that a fifth of the hops stay below, in dBFS.

    Args:
        levels: of each hop, in dBFS; without any, the floor is `SILENCE`.

    """
    return sorted(levels)[int(_QUIET_SHARE * len(levels))] if levels else SILENCE


def signal_to_noise(levels: Sequence[float], noise: float) -> float:
    """Return the signal-to-noise ratio of speech in noise, in dB, at least -20.

    Args:
        levels: of the hops that hold the speech, in dBFS; pauses among them are left out.
        noise: the noise floor, in dBFS.

    """
    if not levels:
        return _LOWEST_RATIO
    loudest = max(levels)
    least = max(loudest - _ACTIVE, (loudest + noise) / 2)
    speech = [10 ** (one / 10) for one in levels if one >= least] or [10 ** (loudest / 10)]
    floor = 10 ** (noise / 10)
    ratio = (sum(speech) / len(speech) - floor) / floor
    return max(_LOWEST_RATIO, 10 * math.log10(max(ratio, 1e-9)))
