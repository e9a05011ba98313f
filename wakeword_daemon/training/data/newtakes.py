"""Checks a take that was just recorded: whether to train on it, and which part to keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wakeword_daemon.clock import SAMPLE_RATE, samples
from wakeword_daemon.engine.logmel import LogMel
from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.levels import decibels, noise_floor, of_hops, signal_to_noise
from wakeword_daemon.pcm import Pcm
from wakeword_daemon.training.data.endpoints import Span, speech_span

SHORTEST = 0.2
LONGEST = 2.4
"""Seconds that a word may last."""
MARGIN = samples(0.5)
"""Samples kept on either side of the word: training needs the sound of the room too."""
EDGE = 0.05
"""Seconds from the begin or end of a recording within which a word counts as cut off."""
CLIPPED = 1e-3
"""Share of samples at full scale that is heard as distortion."""
QUIET = 15.0
"""Signal-to-noise ratio that a word should have, dB."""
ALIKE = 0.95
"""Normalised cross-correlation from which two takes are the same recording."""

_FULL_SCALE = 32_700


@dataclass(frozen=True)
class NewTake:
    """A recording of one spoken word.

    Attributes:
        pcm: all of it, int16[n].
        start, stop: samples in it between which the word is; both 0 if there is none.
        peak: of the loudest sample, dBFS.
        above_noise: the signal-to-noise ratio of the word, dB; 0 if there is none.
        problem: why it cannot be kept, in a sentence, or "".

    """

    pcm: Pcm
    start: int
    stop: int
    peak: float
    above_noise: float
    problem: str

    @property
    def kept(self) -> Pcm:
        """The part to keep: the word and a margin."""
        return self.pcm[self._from : self.stop + MARGIN]

    @property
    def trim(self) -> tuple[float, float]:
        """Where in the recording that is, as two shares from 0 to 1."""
        length = max(len(self.pcm), 1)
        return self._from / length, min((self.stop + MARGIN) / length, 1.0)

    @property
    def _from(self) -> int:
        return max(self.start - MARGIN, 0)


def examine(pcm: Pcm, earlier: Sequence[Pcm] = ()) -> NewTake:
    """Check a recording.

    Args:
        pcm: int16[n] at 16 kHz.
        earlier: takes of the same word, with which it must not be identical.

    """
    features = FeatureSettings()
    front_end = LogMel(features)
    power = np.exp(front_end.frames(pcm))
    span = speech_span(power) or Span(0, 0)
    start, stop = span.start * features.hop, span.stop * features.hop
    loud = np.abs(pcm.astype(np.int32))
    peak = decibels(float(loud.max(initial=0)) ** 2)
    above = _above_noise(pcm, start, stop)
    length = (stop - start) / SAMPLE_RATE
    clipped = float((loud >= _FULL_SCALE).mean()) if len(pcm) else 0.0
    edge = EDGE * SAMPLE_RATE
    if not span:
        problem = "nothing was heard: speak up, or come closer"
    elif clipped > CLIPPED:
        problem = f"{clipped:.1%} of it is clipped: turn the microphone down, or step back"
    elif above < QUIET:  # the noise may count as speech too, so this comes before what is cut off
        problem = f"only {above:.0f} dB louder than the room: speak up, or find a quiet place"
    elif start < edge or stop > len(pcm) - edge:
        problem = "the word is cut off: speak after the countdown"
    elif length < SHORTEST:
        problem = f"only {length:.2f} s of sound, which is too short for a word"
    elif length > LONGEST:
        problem = f"{length:.1f} s of sound: say the word alone, once"
    elif any(_alike(pcm[start:stop], other) for other in earlier):
        problem = "it is the same recording as an earlier take: say the word again"
    else:
        problem = ""
    return NewTake(pcm, start, stop, peak, above, problem)


def _above_noise(pcm: Pcm, start: int, stop: int) -> float:
    if start == stop:
        return 0.0
    noise = noise_floor([*of_hops(pcm[:start]), *of_hops(pcm[stop:])])
    return signal_to_noise(of_hops(pcm[start:stop]), noise)


def _alike(word: Pcm, other: Pcm) -> bool:
    """Return whether a word is in another recording, sample for sample but for gain and noise."""
    if len(other) < len(word):
        word, other = other, word
    size = 1 << (len(word) + len(other)).bit_length()
    a, b = word.astype(np.float64), other.astype(np.float64)
    product = np.fft.irfft(np.fft.rfft(b, size) * np.fft.rfft(a, size).conj(), size)
    at = int(np.argmax(product[: len(b) - len(a) + 1]))
    scale = float(np.linalg.norm(a) * np.linalg.norm(b[at : at + len(a)]))
    return scale > 0 and float(product[at]) / scale > ALIKE
