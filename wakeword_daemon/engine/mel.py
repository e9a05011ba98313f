"""The tables of the front end: the Hann window, and the mel filters as HTK defines them.

In plain Python, so that a daemon whose step is in C needs no numpy.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from wakeword_daemon.clock import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wakeword_daemon.engine.settings import FeatureSettings

FULL_SCALE = 32_768.0
"""The full scale of int16 samples."""


def hann(length: int) -> list[float]:
    """Return the periodic Hann window of `length` samples."""
    return [0.5 - 0.5 * math.cos(2 * math.pi * at / length) for at in range(length)]


def hertz_to_mel(hertz: float) -> float:
    """Return a frequency on the mel scale (HTK Book, chapter 5)."""
    return 2595 * math.log10(1 + hertz / 700)


def band_edges(mels: int) -> list[float]:
    """Return the edges of `mels` bands, in hertz, [mels + 2].

    They are equally spaced in mel from 0 Hz to half the sample rate. Band k rises from edge k,
    peaks at edge k + 1 and falls to edge k + 2.
    """
    apart = hertz_to_mel(SAMPLE_RATE / 2) / (mels + 1)
    return [700 * (10 ** (edge * apart / 2595) - 1) for edge in range(mels + 2)]


def triangles(hertz: Iterable[float], mels: int) -> list[list[float]]:
    """Return how high each of `mels` triangular filters is at some frequencies, [mels][n]."""
    at, edges = list(hertz), band_edges(mels)
    return [
        [
            0.0
            if f <= left or f >= right
            else (f - left) / (centre - left)
            if f < centre
            else (right - f) / (right - centre)
            for f in at
        ]
        for left, centre, right in zip(edges, edges[1:], edges[2:], strict=False)
    ]


def mel_filters(settings: FeatureSettings) -> list[list[float]]:
    """Return triangular filters [mels][window // 2 + 1], equally spaced on the HTK mel scale."""
    bins = settings.window // 2
    spacing = SAMPLE_RATE / 2 / bins if bins else 0.0
    return triangles((number * spacing for number in range(bins + 1)), settings.mels)
