"""What lies between the mouth and the microphone when a word is measured: noise and rooms.

Done to samples, not to mel power as in training: what is measured shall not be what was rehearsed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.pcm import Pcm


@dataclass(frozen=True, slots=True)
class Condition:
    """One way of hearing the validation speech.

    Attributes:
        name: what tables call it.
        snr_db: noise at this ratio to the speech it lies under, in dB; None for none.
        echo: whether it is heard in a room.

    """

    name: str
    snr_db: float | None = None
    echo: bool = False


CLEAN = Condition("clean")
NOISY = Condition("10 dB SNR", snr_db=10.0)
ECHO = Condition("echo", echo=True)
CONDITIONS = (CLEAN, NOISY, ECHO)


class Surroundings:
    """A condition with the noise to make it of; draws from the generator it is given."""

    def __init__(
        self, condition: Condition, noise: Sequence[Pcm], rng: np.random.Generator
    ) -> None:
        self._condition = condition
        self._noise = [piece for piece in noise if len(piece)]
        self._rng = rng

    def __call__(self, pcm: Pcm, speech: slice | None = None) -> Pcm:
        """Return `pcm` as a microphone hears it; loudness is that of `speech`, or of the whole."""
        condition = self._condition
        if condition.snr_db is None and not condition.echo:
            return pcm
        heard = pcm.astype(np.float64)
        if condition.echo:
            heard = _convolve(heard, room(self._rng))
        if condition.snr_db is not None and self._noise:
            heard += self._noise_under(heard[speech or slice(None)], len(heard), condition.snr_db)
        return np.clip(np.rint(heard), -32_768, 32_767).astype(np.int16)

    def _noise_under(
        self, speech: npt.NDArray[np.float64], length: int, snr_db: float
    ) -> npt.NDArray[np.float64]:
        piece = self._noise[int(self._rng.integers(len(self._noise)))]
        begin = int(self._rng.integers(len(piece)))
        repeated = np.resize(np.roll(piece, -begin), length)
        noise: npt.NDArray[np.float64] = repeated.astype(np.float64)
        noise *= _rms(speech) * 10 ** (-snr_db / 20) / max(_rms(noise), 1e-9)
        return noise


def room(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return the impulse response of a room, its direct sound first and of height 1.

    Reverberation time 0.3 to 0.7 s, direct-to-reverberant ratio 0 to 6 dB: a few early reflections
    within 40 ms and an exponentially decaying diffuse tail (Polack's model).
    """
    seconds = rng.uniform(0.3, 0.7)
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tail = rng.normal(size=len(time)) * np.exp(-6.908 * time / seconds)
    tail[: round(0.004 * SAMPLE_RATE)] = 0
    for _ in range(int(rng.integers(3, 7))):
        delay = rng.uniform(0.004, 0.04)
        tail[round(delay * SAMPLE_RATE)] += rng.choice((-1, 1)) * rng.uniform(4, 10)
    ratio = 10 ** (-rng.uniform(0, 6) / 20)
    response: npt.NDArray[np.float64] = tail * ratio / np.sqrt(np.sum(tail**2))
    response[0] = 1.0
    return response


def _convolve(
    wave: npt.NDArray[np.float64], response: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    size = 1 << (len(wave) + len(response) - 2).bit_length()
    spectrum = np.fft.rfft(wave, size) * np.fft.rfft(response, size)
    convolved: npt.NDArray[np.float64] = np.fft.irfft(spectrum, size)[: len(wave)]
    return convolved


def _rms(wave: npt.NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(np.square(wave)))) if len(wave) else 0.0
