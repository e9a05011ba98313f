"""What rooms, microphones, voices and cookers do to speech, done to mel power.

All functions take and return mel power, [frames, mels] or [batch, frames, mels], and draw from
the generator they are given, so that a seed reproduces them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wakeword_daemon.training.melpower import Frames

Batch = npt.NDArray[np.float32]
"""Mel power, [batch, frames, mels]."""

VTL_RANGE = (0.84, 1.18)
TEMPO_RANGE = (0.72, 1.42)
WARPS = 35


def _hertz_to_mel(hertz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return 2595 * np.log10(1 + hertz / 700)


def _mel_to_hertz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return 700 * (10 ** (mel / 2595) - 1)


def warp_matrices(mels: int) -> Batch:
    """Return matrices [WARPS, mels, mels] that warp a frame as another vocal tract would.

    Matrix k scales the frequency axis by the k-th of WARPS factors spread over VTL_RANGE;
    bands warped from beyond the top repeat the highest band (Jaitly & Hinton 2013).
    """
    centres_mel = np.linspace(0, _hertz_to_mel(np.array(8000.0)), mels + 2)[1:-1]
    centres = _mel_to_hertz(centres_mel)
    matrices = np.zeros((WARPS, mels, mels), np.float32)
    for k, factor in enumerate(np.linspace(*VTL_RANGE, WARPS)):
        position = np.interp(centres / factor, centres, np.arange(mels))
        low = np.minimum(position.astype(int), mels - 2)
        share = (position - low).astype(np.float32)
        columns = np.arange(mels)
        matrices[k, low, columns] += 1 - share
        matrices[k, low + 1, columns] += share
    return matrices


def tempo(power: Frames, factor: float) -> Frames:
    """Play `factor` times as fast, by interpolating between frames."""
    count = max(1, round(len(power) / factor))
    position = np.linspace(0, len(power) - 1, count, dtype=np.float32)
    low = position.astype(np.int64)
    high = np.minimum(low + 1, len(power) - 1)
    share = (position - low)[:, None]
    stretched: Frames = power[low]
    stretched += (power[high] - stretched) * share
    return stretched


def voice(power: Frames, warps: Batch, rng: np.random.Generator) -> Frames:
    """Return the same words from another vocal tract at another pace."""
    warped: Frames = power @ warps[rng.integers(len(warps))]
    return tempo(warped, float(np.exp(rng.uniform(*np.log(TEMPO_RANGE)))))


def equalise(batch: Batch, rng: np.random.Generator, spread_db: float = 5.0) -> Batch:
    """Colour each sequence by a smooth random curve, a tilt, and sometimes a cut band edge.

    The cut edges stand for narrow-band microphones and lossy codecs; they meet word and
    other speech alike, so that neither is recognised by its codec.
    """
    count, _, mels = batch.shape
    axis = np.linspace(0, 1, mels)
    curve = np.empty((count, mels))
    for row in range(count):
        curve[row] = np.interp(axis, np.linspace(0, 1, 6), rng.normal(0, spread_db * 0.6, 6))
    curve += rng.normal(0, spread_db, (count, 1)) * (axis - 0.5)
    top = rng.uniform(0.55, 1.0, (count, 1))
    depth = rng.uniform(15, 60, (count, 1)) * (rng.random((count, 1)) < 0.3)  # noqa: PLR2004
    curve -= depth * np.clip((axis - top) / 0.06, 0, 1)
    bottom = rng.uniform(0, 0.18, (count, 1))
    depth = rng.uniform(10, 40, (count, 1)) * (rng.random((count, 1)) < 0.25)  # noqa: PLR2004
    curve -= depth * np.clip((bottom - axis) / 0.06, 0, 1)
    return batch * (10 ** (curve / 10)).astype(np.float32)[:, None]


def reverberate(batch: Batch, rng: np.random.Generator, share: float = 0.5) -> Batch:
    """Add the exponentially decaying echo of a room to a share of the sequences.

    Reverberation time 0.15 to 0.9 s, direct-to-reverberant ratio -3 to 15 dB; high bands decay
    faster, as air and furniture make them.
    """
    count, frames, mels = batch.shape
    seconds = np.exp(rng.uniform(np.log(0.15), np.log(0.9), (count, 1)))
    seconds = seconds * np.linspace(1.1, 0.7, mels)
    decay = np.exp(-13.8155 * 0.01 / seconds).astype(np.float32)  # power, per 10 ms frame
    ratio = 10 ** (-rng.uniform(-3, 15, (count, 1)) / 10) * (rng.random((count, 1)) < share)
    gain = (ratio * (1 - decay)).astype(np.float32)
    late = np.zeros((count, mels), np.float32)
    echoed = batch.copy()
    for t in range(1, frames):
        late = late * decay + batch[:, t - 1]
        echoed[:, t] += gain * late
    return echoed


def mask(log_mel: Batch, rng: np.random.Generator, fill: float) -> Batch:
    """Hide a few bands and a few short stretches of time (SpecAugment, Park et al. 2019)."""
    count, frames, mels = log_mel.shape
    for row in range(count):
        for _ in range(rng.integers(0, 3)):
            width = rng.integers(1, 6)
            start = rng.integers(0, mels - width)
            log_mel[row, :, start : start + width] = fill
        if rng.random() < 0.3:  # noqa: PLR2004 - a share
            width = rng.integers(2, 8)
            start = rng.integers(0, frames - width)
            log_mel[row, start : start + width] = fill
    return log_mel
