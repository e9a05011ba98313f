"""What happens to speech on its way into the network: a room, noise, a microphone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.training.data.melpower import Frames, Library
from wakeword_daemon.training.fit import augment
from wakeword_daemon.training.fit.augment import FULL_SCALE
from wakeword_daemon.training.fit.augmentation import AugmentationSettings

SHORTEST = 12
"""Frames; less is no sound of speech."""


class Scene:
    """Puts speech into rooms and noise, and before microphones.

    Args:
        features: the front end.
        settings: how much the sequences vary.
        noise: recordings in which nobody speaks.
        rooms: how measured rooms fade, [rooms, frames, mels]; None for simulated rooms alone.
        frames: length of a sequence.
        babblers: draws the speech of one voice that talks in the background.

    """

    def __init__(
        self,
        features: FeatureSettings,
        settings: AugmentationSettings,
        *,
        noise: Library,
        rooms: npt.NDArray[np.float32] | None,
        frames: int,
        babblers: Callable[[np.random.Generator], Library],
    ) -> None:
        self._features, self._noises, self._rooms = features, noise, rooms
        self._frames, self._settings, self._babblers = frames, settings, babblers
        # The power of noise in one band is gamma distributed; drawing it each time would cost
        # a tenth of an epoch.
        pool = np.random.default_rng(0).standard_gamma(2.0, (20_000, features.mels))
        self._grain = (pool / 2).astype(np.float32)

    def hear(
        self, speech: augment.Batch, rng: np.random.Generator
    ) -> tuple[augment.Batch, augment.Batch]:
        """Return log-mel frames of speech as it is heard, and as teachers hear it.

        Args:
            speech: mel power, [B, frames, mels], a loud frame of which sums to about 1.
            rng: whose draws decide.

        Returns:
            [B, frames, mels] twice; the second is not clipped, not by telephone and without masks.

        """
        s, f, size = self._settings, self._features, len(speech)
        speech = augment.reverberate(speech, rng, s, self._rooms)
        speech *= FULL_SCALE * (10 ** (rng.uniform(*s.level, (size, 1, 1)) / 10)).astype("f")
        mixed = augment.equalise(speech + self._noise(speech, rng), rng, s)
        mixed += self._microphone(size, rng)
        clear = mixed
        mixed = augment.telephone(augment.clip(mixed, rng, s), rng, s)
        log_mel, clear = (np.log(np.clip(power, f.floor, f.ceiling)) for power in (mixed, clear))
        return augment.mask(log_mel, rng, s), clear

    def _noise(self, speech: augment.Batch, rng: np.random.Generator) -> augment.Batch:
        """Return background noise, each source with its own room and spectrum."""
        s = self._settings
        count = len(speech)
        loud = np.quantile(speech.sum(axis=2), 0.9, axis=1)
        loud = np.where(loud > 0, loud, FULL_SCALE * 10 ** (rng.uniform(*s.quiet_level, count)))
        noise = np.zeros_like(speech)
        for share in s.noise_shares if len(self._noises) else ():
            rows = np.flatnonzero(rng.random(count) < share)
            layer = np.stack([self._recorded_noise(rng) for _ in rows]) if len(rows) else None
            self._mix(noise, rows, layer, loud, rng)
        rows = np.flatnonzero(rng.random(count) < s.babble_share)
        layer = np.stack([self._babble(rng) for _ in rows]) if len(rows) else None
        self._mix(noise, rows, layer, loud, rng)
        return noise

    def _mix(
        self,
        noise: augment.Batch,
        rows: npt.NDArray[np.int64],
        layer: augment.Batch | None,
        loud: npt.NDArray[np.float64],
        rng: np.random.Generator,
    ) -> None:
        """Add one source of noise to some rows, at a drawn ratio to the loud parts of speech."""
        if layer is None:
            return
        s = self._settings
        layer = augment.reverberate(layer, rng, s, self._rooms)
        layer = augment.equalise(layer, rng, s)
        level = layer.sum(axis=2).mean(axis=1) + 1e-12
        ratio = 10 ** (-rng.uniform(*s.noise_ratio, len(rows)) / 10)
        noise[rows] += layer * (loud[rows] * ratio / level).astype(np.float32)[:, None, None]

    def _recorded_noise(self, rng: np.random.Generator) -> Frames:
        piece = crop(self._noises[int(rng.integers(len(self._noises)))], self._frames, rng)
        if not len(piece):
            return np.zeros((self._frames, self._features.mels), np.float32)
        repeated: Frames = np.resize(piece, (self._frames, piece.shape[1]))
        return repeated

    def _babble(self, rng: np.random.Generator) -> Frames:
        """Return several people talking at once."""
        babble = np.zeros((self._frames, self._features.mels), np.float32)
        for _ in range(int(rng.integers(*self._settings.babble_voices))):
            at = 0
            library = self._babblers(rng)
            while at < self._frames:
                piece = crop(library[int(rng.integers(len(library)))], self._frames - at, rng)
                add(babble, piece, at)
                at += max(SHORTEST, len(piece))
        return babble

    def _microphone(self, count: int, rng: np.random.Generator) -> augment.Batch:
        """Return the microphone's own noise, white to pink, or exactly none."""
        s, mels, frames = self._settings, self._features.mels, self._frames
        level = FULL_SCALE * 10 ** (rng.uniform(*s.microphone_level, (count, 1, 1)) / 10) / mels
        tilt = np.linspace(1, 0, mels) * rng.uniform(*s.microphone_tilt, (count, 1, 1))
        level *= rng.random((count, 1, 1)) >= s.digital_silence_share
        colour = (level * np.exp(tilt)).astype(np.float32)
        begins = rng.integers(0, len(self._grain) - frames, count)
        grain = np.stack([self._grain[begin : begin + frames] for begin in begins])
        return grain * colour


def crop(piece: Frames, longest: int, rng: np.random.Generator) -> Frames:
    """Return a part of a piece, of at most so many frames, from a random place."""
    spare = len(piece) - longest
    start = int(rng.integers(0, spare + 1)) if spare > 0 else 0
    return piece[start : start + longest]


def add(into: Frames, piece: Frames, offset: int) -> None:
    """Add a piece to a sequence from a frame on, as far as it goes."""
    fits = piece[: max(0, len(into) - offset)]
    into[offset : offset + len(fits)] += fits
