"""The incremental log-mel front end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.engine.mel import band_edges
from wakeword_daemon.engine.settings import FeatureSettings

FULL_SCALE = 32_768.0
MOST_FRAMES_AT_ONCE = 512
"""Longer input is worked off in pieces, so that ten hours need no more memory than a second."""


@dataclass
class LogMelState:
    """The samples that the next frame still needs, [streams, fewer than a window]."""

    tail: npt.NDArray[np.int16]


class LogMel:
    """16 kHz samples to log-mel frames, any number of samples at a time.

    Hann window, FFT, power, HTK mel filters, logarithm of the clamped mel power. Equal to
    torchaudio's `MelSpectrogram(center=False)` followed by `clamp` and `log`. A frame is made as
    soon as its last sample is there; no padding, so a live stream and a file give the same.
    """

    def __init__(self, settings: FeatureSettings | None = None) -> None:
        self.settings = s = settings or FeatureSettings()
        # The scale of the samples is folded into the window, and the window's length, by which the
        # FFT divides: numpy scales by a float32 faster than by the integer 1.
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(s.window) / s.window)
        self._window = (hann * s.window / FULL_SCALE).astype(np.float32)
        self._filters = _mel_filters(s)
        self._floor, self._ceiling = np.array([[s.floor], [s.ceiling]], np.float32)
        self._can_exceed_ceiling = hann.sum() ** 2 * self._filters.sum(0).max() > s.ceiling

    def initial_state(self, streams: int = 1) -> LogMelState:
        """Return the state of streams that have heard nothing."""
        return LogMelState(np.empty((streams, 0), np.int16))

    def advance(self, state: LogMelState, pcm: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
        """Hear `pcm` [streams, samples] and return the frames it completes, [streams, F, mels]."""
        s = self.settings
        heard = np.concatenate((state.tail, pcm), axis=1)
        streams, length = heard.shape
        count = max(0, (length - s.window) // s.hop + 1)
        state.tail = heard[:, count * s.hop :].copy()
        frames = np.empty((streams, count, s.mels), np.float32)
        stream, sample = heard.strides
        for start in range(0, count, MOST_FRAMES_AT_ONCE):
            stop = min(count, start + MOST_FRAMES_AT_ONCE)
            windows = np.ndarray(  # sliding_window_view does the same twenty times slower
                (streams, stop - start, s.window),
                np.int16,
                heard,
                start * s.hop * sample,
                (stream, s.hop * sample, sample),
            )
            np.matmul(self._power(windows), self._filters, out=frames[:, start:stop])
        np.maximum(frames, self._floor, out=frames)
        if self._can_exceed_ceiling:
            np.minimum(frames, self._ceiling, out=frames)
        np.log(frames, out=frames)
        return frames

    def packed(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Return the settings and tables as the step in C takes them."""
        s = self.settings
        points = s.window // 2
        radices = _radices(points)
        tables = [self._window / s.window, self._floor, self._ceiling]
        length = points
        for radix in radices:
            rest = length // radix
            p, k, j = np.ogrid[:rest, :radix, :radix]
            tables.append(_unit(j * k / radix + p * k / length))
            length = rest
        tables.append(_unit(np.arange(points + 1) / s.window))
        for column in self._filters.T:
            bins = np.flatnonzero(column)
            first, last = (bins[0], bins[-1] + 1) if len(bins) else (0, 0)
            tables.append(np.concatenate([[first, last], column]))
        settings = np.zeros(4 + 12, np.int32)
        settings[: 4 + len(radices)] = [s.window, s.hop, s.mels, len(radices), *radices]
        return settings, np.concatenate([np.ravel(table) for table in tables], dtype=np.float32)

    def _power(self, windows: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
        """Return the power spectra of windows, [streams, F, window // 2 + 1]."""
        spectra = np.empty((*windows.shape[:2], len(self._filters)), np.complex64)
        np.fft.rfft(windows * self._window, norm="forward", out=spectra)
        power = np.abs(spectra)
        power *= power
        return power


def _mel_filters(settings: FeatureSettings) -> npt.NDArray[np.float32]:
    """Return triangular filters [window // 2 + 1, mels], equally spaced on the HTK mel scale."""
    bins = np.linspace(0, SAMPLE_RATE / 2, settings.window // 2 + 1)
    edges = band_edges(settings.mels)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins[:, None] - left) / (centre - left)
    falling = (right - bins[:, None]) / (right - centre)
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


def _radices(points: int) -> list[int]:
    """Return the factors of the FFT's stages: prime, but for 4 instead of 2 and 2."""
    radices = []
    for radix in (5, 4, *range(2, points + 1)):
        while points % radix == 0:
            radices.append(radix)
            points //= radix
    return radices


def _unit(turns: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return exp(-2 pi i turns) as real and imaginary parts, [..., 2]."""
    angle = -2 * np.pi * turns
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)
