"""The mel scale, as HTK defines it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from wakeword_daemon.clock import SAMPLE_RATE

if TYPE_CHECKING:
    from wakeword_daemon.engine.settings import FeatureSettings

Array = npt.NDArray[np.float64]


def hertz_to_mel(hertz: npt.ArrayLike) -> Array:
    """Return frequencies on the mel scale (HTK Book, chapter 5)."""
    return 2595 * np.log10(1 + np.asarray(hertz, np.float64) / 700)


def band_edges(mels: int) -> Array:
    """Return the edges of `mels` bands, in hertz, [mels + 2].

    They are equally spaced in mel from 0 Hz to half the sample rate. Band k rises from edge k,
    peaks at edge k + 1 and falls to edge k + 2.
    """
    top = hertz_to_mel(SAMPLE_RATE / 2)
    return 700 * (10 ** (np.linspace(0, top, mels + 2) / 2595) - 1)


def triangles(hertz: Array, mels: int) -> Array:
    """Return how high each of `mels` triangular filters is at frequencies [n], [n, mels]."""
    edges = band_edges(mels)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising = (hertz[:, None] - left) / (centre - left)
    falling = (right - hertz[:, None]) / (right - centre)
    return np.maximum(0, np.minimum(rising, falling))


def mel_filters(settings: FeatureSettings) -> npt.NDArray[np.float32]:
    """Return triangular filters [window // 2 + 1, mels], equally spaced on the HTK mel scale."""
    bins = np.linspace(0, SAMPLE_RATE / 2, settings.window // 2 + 1)
    return triangles(bins, settings.mels).astype(np.float32)
