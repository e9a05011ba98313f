"""The log-mel front end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wakeword_daemon.engine.mel import FULL_SCALE, hann, mel_filters
from wakeword_daemon.engine.settings import FeatureSettings

if TYPE_CHECKING:
    from wakeword_daemon.engine.arrays import Array
    from wakeword_daemon.pcm import Pcm

MOST_FRAMES_AT_ONCE = 512
"""Longer input is processed in parts, so that ten hours need little more memory than a second."""


class LogMel:
    """Computes log-mel frames from 16 kHz samples.

    Hann window, FFT, power, HTK mel filters, logarithm of the clamped mel power. Equal to
    torchaudio's `MelSpectrogram(center=False)` followed by `clamp` and `log`. Nothing is padded, so
    a live stream and a file give the same frames.
    """

    def __init__(self, settings: FeatureSettings | None = None) -> None:
        self.settings = s = settings or FeatureSettings()
        # The window includes the scale of the samples, and its own length, by which the FFT divides
        # below: numpy scales by a float32 faster than by the integer 1.
        window = np.array(hann(s.window))
        self._window = (window * s.window / FULL_SCALE).astype(np.float32)
        self._filters = np.array(mel_filters(s), np.float32)
        self._floor, self._ceiling = np.array([s.floor, s.ceiling], np.float32)[:, None, None]
        self._can_exceed_ceiling = window.sum() ** 2 * self._filters.sum(1).max() > s.ceiling

    def frames(self, pcm: Pcm) -> Array:
        """Return the frames of int16 samples [samples]: [F, mels]."""
        s = self.settings
        count = max(0, (len(pcm) - s.window) // s.hop + 1)
        frames = np.empty((count, s.mels), np.float32)
        for start in range(0, count, MOST_FRAMES_AT_ONCE):
            part = frames[start : start + MOST_FRAMES_AT_ONCE]
            self.fill(part.T, pcm[start * s.hop :])
        return frames

    def fill(self, frames: Array, pcm: Pcm) -> None:
        """Set frames [mels, F] to the first F of int16 samples [samples]."""
        s = self.settings
        (step,) = pcm.strides
        windows = np.ndarray(  # sliding_window_view does the same twenty times slower
            (frames.shape[1], s.window), np.int16, pcm, 0, (s.hop * step, step)
        )
        power = np.abs(np.fft.rfft(windows * self._window, norm="forward"))
        power *= power
        mel = np.matmul(self._filters, power.T)
        np.maximum(mel, self._floor, out=mel)
        if self._can_exceed_ceiling:
            np.minimum(mel, self._ceiling, out=mel)
        np.log(mel, out=frames)
