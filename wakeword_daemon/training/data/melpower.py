"""The mel power of recordings, computed once and kept, so that an epoch takes seconds.

Augmentation works on mel *power*. There noise and reverberation are sums, gains and filters are
products, and tempo and vocal tract length are interpolations. The network's log-mel input is its
clamped logarithm.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torchaudio

from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.training.data.cache import cached, digest_of_files
from wakeword_daemon.training.data.reading import readable, refuse_many

Frames = npt.NDArray[np.float32]
"""Mel power, [frames, mels]."""


class MelPower:
    """The reference front end: torchaudio's mel spectrogram, without centre padding."""

    def __init__(self, features: FeatureSettings) -> None:
        self.features = features
        self._transform = torchaudio.transforms.MelSpectrogram(
            sample_rate=SAMPLE_RATE,
            n_fft=features.window,
            hop_length=features.hop,
            n_mels=features.mels,
            power=2.0,
            center=False,
        )

    def __call__(self, pcm: npt.NDArray[np.int16]) -> Frames:
        """Return the mel power [frames, mels] of 16 kHz samples; none of less than a window."""
        if len(pcm) < self.features.window:
            return np.empty((0, self.features.mels), np.float32)
        wave = torch.from_numpy(pcm.astype(np.float32) / 32768)
        power: Frames = self._transform(wave).T.contiguous().numpy()
        return power


def log_mel(power: torch.Tensor, features: FeatureSettings) -> torch.Tensor:
    """Return the network's input: the logarithm of clamped mel power."""
    return power.clamp(features.floor, features.ceiling).log()


@dataclass(frozen=True)
class Library:
    """The mel power of many pieces of audio, in one array.

    Attributes:
        power: all frames, [total frames, mels].
        bounds: the first frame of each piece, and the end of the last; [pieces + 1].

    """

    power: Frames
    bounds: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def __getitem__(self, index: int) -> Frames:
        return self.power[self.bounds[index] : self.bounds[index + 1]]

    def lengths(self) -> npt.NDArray[np.int64]:
        """Return the number of frames of each piece."""
        return np.diff(self.bounds)

    def pick(self, indices: Sequence[int]) -> Library:
        """Return some of the pieces."""
        return Library.join([self[index] for index in indices], self.power.shape[1])

    def levelled(self) -> Library:
        """Return the pieces, all equally loud: a loud frame of each sums to 1 over the bands."""
        power = self.power.copy()
        for start, stop in itertools.pairwise(self.bounds):
            if stop > start:
                loud = np.quantile(power[start:stop].sum(axis=1), 0.9)
                power[start:stop] /= max(loud, 1e-12)
        return Library(power, self.bounds)

    @classmethod
    def join(cls, pieces: Sequence[Frames], mels: int) -> Library:
        """Join pieces into a library."""
        power = np.concatenate(pieces) if pieces else np.empty((0, mels), np.float32)
        return cls(power, np.cumsum([0, *map(len, pieces)], dtype=np.int64))


def load(
    paths: Iterable[Path], features: FeatureSettings, cache: Path, *, title: str
) -> tuple[Library, list[Path]]:
    """Return the mel power of recordings; it is computed once and kept.

    Args:
        paths: the recordings.
        features: the front end.
        cache: folder for what is computed once.
        title: what the recordings are, for the progress bar and the name in the cache.

    Returns:
        the library and the paths of its pieces. Recordings that cannot be read are left out and
        named in the log.

    Raises:
        TrainingError: more than one recording in twenty cannot be read.

    """
    wanted = list(paths)

    def compute() -> dict[str, npt.NDArray[Any]]:
        front_end = MelPower(features)
        pieces: list[Frames] = []
        indices: list[int] = []
        unreadable: list[str] = []
        for index, pcm in readable(wanted, unreadable, title=f"reading {title}"):
            pieces.append(front_end(pcm))
            indices.append(index)
        refuse_many(unreadable, len(wanted))
        library = Library.join(pieces, features.mels)
        read = np.array(indices, np.int64)
        return {"power": library.power, "bounds": library.bounds, "kept": read}

    arrays = cached(cache, title, digest_of_files(wanted, repr(features)), compute)
    return Library(arrays["power"], arrays["bounds"]), [wanted[i] for i in arrays["kept"]]
