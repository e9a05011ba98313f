"""Changes a recording's pitch, formants and length, so that another speaker seems to speak.

Praat (Boersma 2001) does it, through `praat-parselmouth`. That is under the GPL-3: it is a tool of
the `train` extra, the daemon never loads it, and no part of it goes into a model or this package.
"""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import parselmouth
from parselmouth.praat import call, run

from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.errors import TrainingError
from wakeword_daemon.pcm import Pcm

PITCHES = (0.75, 1.8)
FORMANTS = (0.85, 1.2)
LENGTHS = (0.65, 1.6)
"""Ranges of the factors in training. Nine takes in ten are still understood if they last at least
0.8 times as long. Shorter ones stand for people who speak faster than all whom a network hears."""

_LOWEST, _HIGHEST = 75, 600
"""The range in which Praat looks for a voice's pitch, in Hz."""
_CHANGED_SHARE = 2 / 3
_SHORTEST = 3 / _LOWEST
"""Seconds that a recording must last: Praat needs three periods of the lowest pitch."""


@dataclass(frozen=True, slots=True)
class VoiceChange:
    """The factors by which a recording is changed; 1 changes nothing.

    Attributes:
        pitch: factor of the median pitch. 1.6 makes most adults sound like a child.
        formants: factor of the formants' frequencies; a shorter vocal tract has higher ones.
        length: factor of the duration; 1.6 is slow speech.

    """

    pitch: float = 1.0
    formants: float = 1.0
    length: float = 1.0


def drawn_changes(rng: random.Random) -> Iterator[VoiceChange]:
    """Return random changes without end; each has one, two or all three of the factors."""

    def factor(low: float, high: float) -> float:
        if rng.random() > _CHANGED_SHARE:
            return 1.0
        return math.exp(rng.uniform(math.log(low), math.log(high)))

    while True:
        change = VoiceChange(factor(*PITCHES), factor(*FORMANTS), factor(*LENGTHS))
        if change != VoiceChange():
            yield change


def change_voice(pcm: Pcm, change: VoiceChange) -> Pcm:
    """Return a recording as if another speaker had made it, as loud as before.

    This is Praat's “Change gender” (see its manual): overlap-add of pitch periods changes pitch and
    length, resampling changes the formants. Without a voice, the pitch stays.

    Args:
        pcm: int16[n] at 16 kHz, at least 40 ms.
        change: what to change.

    Returns:
        int16[m] at 16 kHz, m about n times the change of length.

    Raises:
        TrainingError: the recording is shorter than 40 ms.

    """
    if len(pcm) < _SHORTEST * SAMPLE_RATE:
        raise TrainingError(f"a recording of {len(pcm)} samples is too short for another voice")
    if change == VoiceChange():
        return pcm
    # Where nobody speaks, overlap-add draws at random. The same recording must give the same bytes
    # in every process that trains, and after an interruption.
    run("random_initializeWithSeedUnsafelyButPredictably: 0")
    sound = parselmouth.Sound(pcm / 32_768, SAMPLE_RATE)
    pitch = call(sound, "To Pitch", 0, _LOWEST, _HIGHEST)
    median = call(pitch, "Get quantile", 0, 0, 0.5, "Hertz")
    wanted = median * change.pitch if median > 0 else 0  # 0 leaves it; NaN: no voice was found
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", parselmouth.PraatWarning)  # "There were no voiced segments"
        changed = call(
            [sound, pitch], "Change gender", change.formants, wanted, 1, change.length
        ).values[0]  # fmt: skip
    loudness = np.sqrt(np.mean(sound.values**2)) / max(np.sqrt(np.mean(changed**2)), 1e-9)
    scaled = np.clip(np.rint(changed * loudness * 32_768), -32_768, 32_767)
    result: Pcm = scaled.astype(np.int16)
    return result
