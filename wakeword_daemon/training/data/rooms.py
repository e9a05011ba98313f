"""Measured rooms as training needs them: how the power of a sound fades, band by band."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torchaudio

from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.training.data.melpower import Frames

LONGEST = 80
"""Frames of a fade that are kept: 0.8 s."""


def fade(response: npt.NDArray[np.float64], features: FeatureSettings) -> Frames:
    """Return the power of an impulse response in every frame and band, [frames, mels].

    A mel power spectrogram convolved with it along time is heard in that room, but for how the
    phases of reflections fall. Its bands have a mean sum of 1, so that loudness stays.

    Args:
        response: samples at 16 kHz, the direct sound first.
        features: the front end.

    """
    hop, size = features.hop, features.window
    count = min(LONGEST, -(-len(response) // hop))
    cut = np.resize(np.pad(response, (0, count * hop)), count * hop).reshape(count, hop)
    bank = torchaudio.functional.melscale_fbanks(
        size // 2 + 1, 0.0, SAMPLE_RATE / 2, features.mels, SAMPLE_RATE
    ).numpy()
    power = (np.abs(np.fft.rfft(cut, size)) ** 2) @ (bank / np.maximum(bank.sum(axis=0), 1e-9))
    faded: Frames = (power / power.sum(axis=0).mean()).astype(np.float32)
    return faded


def stacked(fades: Sequence[Frames], mels: int) -> npt.NDArray[np.float32]:
    """Return fades of different lengths in one array, [rooms, LONGEST, mels]."""
    rooms = np.zeros((len(fades), LONGEST, mels), np.float32)
    for room, faded in zip(rooms, fades, strict=True):
        room[: len(faded)] = faded
    return rooms
