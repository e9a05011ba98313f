"""Training sequences for the network of speech sounds: speech whose sounds are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.training.data.melpower import Frames, Library
from wakeword_daemon.training.fit import augment
from wakeword_daemon.training.fit.augment import FULL_SCALE
from wakeword_daemon.training.fit.augmentation import AugmentationSettings
from wakeword_daemon.training.fit.scene import Scene, add

FRAMES = 600
"""Length of a sequence."""
GAPS = ((0, 1), (0, 10), (10, 60))
"""Frames between two pieces; each range is as likely as another."""
SETTINGS = AugmentationSettings(
    tracts=(0.87, 1.15), formant_spread=0.02, tempo=(0.75, 1.35), pace_spread=0.1,
    stress_spread=1.0, reverberation_share=0.4, noise_shares=(0.6, 0.2), clipped_share=0.1,
    telephone_share=0.12, band_masks=1, time_mask_share=0.0,
)  # fmt: skip
"""Milder than for words: a vowel whose formants are bent is another one, and a sound that is hidden
or shorter than a step cannot be told."""


MEASURED_LEVEL = np.float32(FULL_SCALE * 10**-2.5)
"""Mel power of loud frames in speech that is listened to as it is: 25 dB below full scale."""
QUIET = 20
"""Frames of quiet before such speech, and perhaps after it."""


def as_heard(power: Frames, features: FeatureSettings, *, after: int) -> Frames:
    """Return log-mel frames of a piece that is as loud as others, with quiet around it.

    Args:
        power: mel power, [frames, mels], a loud frame of which sums to about 1.
        features: the front end.
        after: frames of quiet after it.

    """
    padded = np.pad(power * MEASURED_LEVEL, ((QUIET, after), (0, 0)))
    heard: Frames = np.log(np.clip(padded, features.floor, features.ceiling)).astype(np.float32)
    return heard


@dataclass(frozen=True)
class Spoken:
    """Speech of one kind whose sounds are known, all pieces equally loud.

    Attributes:
        title: what it is.
        library: the pieces.
        sounds: the numbers of the sounds in each, from 1; see `engine.sounds.SOUNDS`.
        share: of the frames of all sequences.

    """

    title: str
    library: Library
    sounds: list[npt.NDArray[np.int64]]
    share: float

    @property
    def hours(self) -> float:
        """Hours of speech."""
        return float(self.library.lengths().sum()) / 360_000


@dataclass(frozen=True)
class SoundComposition:
    """The material that sequences are made of.

    Attributes:
        spoken: speech, by kind.
        noise: recordings in which nobody speaks.
        rooms: how measured rooms fade, [rooms, frames, mels].
        features: the front end.
        settings: how much the sequences vary.

    """

    spoken: Sequence[Spoken]
    noise: Library
    rooms: npt.NDArray[np.float32] | None
    features: FeatureSettings
    settings: AugmentationSettings = SETTINGS


class SoundSequenceMaker:
    """Composes sequences; all randomness comes from the generator it is given."""

    def __init__(self, composition: SoundComposition) -> None:
        c = self._composition = composition
        self._voices = augment.voice_matrices(c.features.mels, c.settings)
        self._scene = Scene(
            c.features,
            c.settings,
            noise=c.noise,
            rooms=c.rooms,
            frames=FRAMES,
            babblers=self._babbler,
        )
        # A kind of long pieces is drawn less often for the same share.
        often = np.array([kind.share / kind.library.lengths().mean() for kind in c.spoken])
        self._often = often / often.sum()

    def batch(
        self, size: int, rng: np.random.Generator
    ) -> tuple[augment.Batch, list[npt.NDArray[np.int64]]]:
        """Return log-mel frames [size, FRAMES, mels], and the sounds in each sequence."""
        speech = np.zeros((size, FRAMES, self._composition.features.mels), np.float32)
        sounds = [self._talk(row, rng) for row in speech]
        return self._scene.hear(speech, rng)[0], sounds

    def _talk(
        self, into: npt.NDArray[np.float32], rng: np.random.Generator
    ) -> npt.NDArray[np.int64]:
        """Fill a sequence with pieces, as many as go in whole; return their sounds."""
        s, said = self._composition.settings, [np.empty(0, np.int64)]
        at = int(rng.integers(0, GAPS[-1][1]))
        while True:
            kind = self._composition.spoken[int(rng.choice(len(self._often), p=self._often))]
            index = int(rng.integers(len(kind.library)))
            piece = augment.revoice(kind.library[index], self._voices, rng, s).power
            if at + len(piece) > FRAMES and at:
                return np.concatenate(said)
            level = 10 ** (rng.normal(0, s.loudness_spread) / 10)
            add(into, piece * np.float32(level), at)
            said.append(kind.sounds[index])
            at += len(piece) + int(rng.integers(*GAPS[int(rng.integers(len(GAPS)))]))

    def _babbler(self, rng: np.random.Generator) -> Library:
        return self._composition.spoken[int(rng.integers(len(self._composition.spoken)))].library
