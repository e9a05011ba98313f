"""Augmented views of the clips for training: a fixed number, each the same every time.

A view changes every clip once, by draws that depend only on the view's number. So a teacher's
answers for a view can be kept, and used for every student.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchaudio.functional import mask_along_axis_iid

from wakeword_daemon.lab.clips import Clips
from wakeword_daemon.training.fit.augment import tract_matrices

VIEWS = 24
TRACTS = (0.84, 1.18)
"""Range of vocal tract length factors."""
WORD_REPEATS = 3
"""How often a view has each clip of the word, each time changed in another way: they are few."""
NEPER = math.log(10) / 10
"""One decibel of power, as a difference of logarithms."""
BAND_MASKS = 2
BAND_MASK_WIDTH = 5
TIME_MASK_WIDTH = 9
TIME_MASK_SHARE = 0.4
"""Masks of a clip (SpecAugment, Park et al. 2019): how many, and below how many bands or frames."""

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Draws:
    """How each sample of a view is changed; one number or row for each sample."""

    shift: Tensor  # frames by which the clip is delayed
    pace: Tensor  # factor of its speed
    gain: Tensor  # nepers
    tilt: Tensor  # nepers, between the lowest and the highest band
    warp: Tensor  # number of the vocal tract
    noise: Tensor  # number of the noise clip
    noise_level: Tensor  # nepers, relative to the clip's loud frames; -inf for none
    bands: Tensor  # [samples, 1, mels] whether a band is kept
    frames: Tensor  # [samples, frames, 1] whether a frame is


class Views:
    """The augmented views of the training clips."""

    def __init__(self, clips: Clips) -> None:
        self._clips = clips
        trained = np.flatnonzero(clips.is_trained)
        word = trained[clips.is_word[trained]]
        self._rows = np.concatenate([trained, np.tile(word, WORD_REPEATS - 1)])
        self.is_word = torch.from_numpy(clips.is_word[self._rows])
        self._warps = torch.from_numpy(tract_matrices(clips.features.mels, TRACTS))
        self._noise = torch.from_numpy(clips.noise)
        self._number = -1
        self._draws: _Draws | None = None

    def __len__(self) -> int:
        """Return the number of samples of a view."""
        return len(self._rows)

    def samples(self, view: int, indices: Indices) -> Tensor:
        """Return samples of a view as log-mel frames [len(indices), 98, mels]."""
        draws = self._drawn(view)
        rows = torch.from_numpy(indices)
        clean = torch.from_numpy(self._clips.log_mel[self._rows[indices]]).float()
        moved = _moved(clean, draws.shift[rows], draws.pace[rows])
        features = self._clips.features
        power = moved.exp() @ self._warps[draws.warp[rows]]
        if len(self._noise):
            power += self._noise_power(power, draws, rows)
        mel = power.clamp_(features.floor, features.ceiling).log_()
        slope = torch.linspace(-0.5, 0.5, features.mels)
        mel += draws.gain[rows, None, None] + draws.tilt[rows, None, None] * slope
        kept = draws.bands[rows] & draws.frames[rows]
        return torch.where(kept, mel, mel.mean((1, 2), keepdim=True))

    def _noise_power(self, power: Tensor, draws: _Draws, rows: Tensor) -> Tensor:
        noise = self._noise[draws.noise[rows]].float().exp_()
        loud = power.sum(2).quantile(0.9, dim=1)
        level = noise.sum(2).mean(1).clamp_min(1e-12)
        ratio = draws.noise_level[rows].exp() * loud / level
        return noise.mul_(ratio[:, None, None])

    def _drawn(self, view: int) -> _Draws:
        """Return the draws of a view; those of the latest view are kept."""
        if view != self._number or self._draws is None:
            with torch.random.fork_rng(devices=()):
                torch.manual_seed(view)
                self._draws = self._draw(np.random.default_rng([1, view]))
            self._number = view
        return self._draws

    def _draw(self, rng: np.random.Generator) -> _Draws:
        count = len(self)
        _, frames, mels = self._clips.log_mel.shape
        noisy = rng.random(count) < 0.7  # noqa: PLR2004 -- a share
        level = np.where(noisy, -rng.uniform(0, 35, count) * NEPER, -np.inf)
        bands = torch.ones(count, 1, 1, mels)
        for _ in range(BAND_MASKS):
            bands = mask_along_axis_iid(bands, BAND_MASK_WIDTH, 0.0, axis=3)
        times = mask_along_axis_iid(torch.ones(count, 1, frames, 1), TIME_MASK_WIDTH, 0.0, axis=2)
        whole = torch.rand(count, 1, 1) >= TIME_MASK_SHARE
        return _Draws(
            shift=_tensor(rng.uniform(-10, 10, count)),
            pace=_tensor(np.exp(rng.uniform(-0.15, 0.15, count))),
            gain=_tensor(rng.uniform(-15, 15, count) * NEPER),
            tilt=_tensor(rng.normal(0, 4, count) * NEPER),
            warp=torch.from_numpy(rng.integers(0, len(self._warps), count)),
            noise=torch.from_numpy(rng.integers(0, max(1, len(self._noise)), count)),
            noise_level=_tensor(level),
            bands=bands[:, 0].bool(),
            frames=times[:, 0].bool() | whole,
        )


def _tensor(numbers: npt.NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(numbers.astype(np.float32))


def _moved(mel: Tensor, shift: Tensor, pace: Tensor) -> Tensor:
    """Delay clips and speed them up around their middle; the first and last frames are repeated."""
    count, frames, mels = mel.shape
    middle = (frames - 1) / 2
    time = torch.arange(frames) - middle
    position = time * pace[:, None] + middle - shift[:, None]
    position = position.clamp(0, frames - 1)
    low = position.long().clamp_max(frames - 2)
    share = (position - low)[:, :, None]
    rows = mel.flatten(0, 1)  # whole frames are fetched faster than their numbers
    at = (low + torch.arange(count)[:, None] * frames).flatten()
    before = rows.index_select(0, at).view(count, frames, mels)
    after = rows.index_select(0, at + 1).view(count, frames, mels)
    return before.lerp_(after, share)
