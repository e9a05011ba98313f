"""What happens to sound between the mouth and the detector: rooms, noise, headsets, clipping.

Done to samples, not to mel power as in training: what is measured must not be what was rehearsed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soxr

from wakeword_daemon.clock import SAMPLE_RATE, samples
from wakeword_daemon.pcm import Pcm
from wakeword_daemon.training.measure.conditions import Condition

Wave = npt.NDArray[np.float64]
"""Samples in units of int16, [n]."""

FULL_SCALE = 32_767
TELEPHONE_BAND = (300.0, 3400.0)
TELEPHONE_ORDER = 4
"""Of the filter at each end of the band: it falls by 24 dB an octave, and does not ring."""
TELEPHONE_RATE = 8000
MU = 255.0
BABBLE_VOICES = 6
LONGEST_PAUSE = 0.25
"""Seconds of silence that a word may contain."""
_SMOOTHED = 400
"""Samples (25 ms) over which a level is taken."""
_AUDIBLE = 0.06
"""Share of the highest level, -24 dB, above which audio counts as speech."""
_ABOVE_NOISE = 3.0
_DIRECT_SOUND = 16
"""Samples before the peak of a room's response at which its direct sound begins."""


@dataclass(frozen=True)
class Background:
    """Recordings that conditions are made of.

    Attributes:
        noise: recordings in which nobody speaks.
        rooms: impulse responses of rooms, their direct sound first, at any level; empty: rooms are
            simulated.
        voices: recordings of other speakers, for babble.

    """

    noise: Sequence[Pcm]
    rooms: Sequence[Wave]
    voices: Sequence[Pcm]


def transmit(
    pcm: Pcm,
    condition: Condition,
    background: Background,
    rng: np.random.Generator,
    speech: slice | None = None,
) -> Pcm:
    """Return a recording as it is heard under a condition, as long as before.

    Args:
        pcm: int16[n].
        condition: what is done to it.
        background: the noise, rooms and voices to draw from; where there is no noise, none is
            added.
        rng: draws them.
        speech: the samples whose loudness sets the level of noise and clipping; by default all.

    """
    heard = pcm.astype(np.float64)
    spoken = speech or slice(None)
    if condition.room:
        heard = convolve(heard, _as_loud(_room(background, rng)))
    if condition.snr_db is not None:
        make = _babble if condition.babble else _noise
        noise = make(background, len(heard), rng)
        heard += noise * rms(heard[spoken]) * 10 ** (-condition.snr_db / 20)
    if condition.clipped_db:
        peak = max(1.0, float(np.abs(heard[spoken]).max(initial=0)))
        heard *= FULL_SCALE * 10 ** (condition.clipped_db / 20) / peak
    if condition.headset:
        heard = through_headset(heard)
    return as_pcm(heard)


def as_pcm(wave: Wave) -> Pcm:
    """Round and clip to int16."""
    return np.clip(np.rint(wave), -FULL_SCALE - 1, FULL_SCALE).astype(np.int16)


def rms(wave: npt.NDArray[np.generic]) -> float:
    """Return the root of the mean square; 0 of nothing."""
    return float(np.sqrt(np.mean(np.square(wave, dtype=np.float64)))) if len(wave) else 0.0


def spoken_part(pcm: Pcm) -> slice:
    """Return where the loudest stretch of speech is, without the silence around it.

    A final /s/ is faint, but not in the treble: speech is where either the level or that of the
    sample differences comes within 24 dB of its highest and 10 dB above the noise. A pause of more
    than 250 ms ends it.
    """
    wave = pcm.astype(np.float64)
    audible = np.zeros(len(wave), bool)
    for version in (wave, np.diff(wave, prepend=wave[:1])):
        level = _level(version)
        quiet = _ABOVE_NOISE * np.quantile(level, 0.1) if len(level) else 0.0
        audible |= level > max(_AUDIBLE * level.max(initial=0.0), quiet)
    loud = np.flatnonzero(audible)
    if not len(loud):
        return slice(0, len(pcm))
    breaks = np.flatnonzero(np.diff(loud) > samples(LONGEST_PAUSE))
    starts = loud[np.concatenate([[0], breaks + 1])]
    stops = loud[np.concatenate([breaks, [len(loud) - 1]])] + 1
    energy = np.concatenate([[0.0], np.cumsum(wave**2)])
    best = int(np.argmax(energy[stops] - energy[starts]))
    return slice(int(starts[best]), int(stops[best]))


def trimmed(pcm: Pcm) -> Pcm:
    """Return the spoken part of a recording."""
    return pcm[spoken_part(pcm)]


def through_headset(wave: Wave) -> Wave:
    """Return sound as a Bluetooth headset or a telephone gives it, as long as before.

    300 to 3,400 Hz at 8 kHz, eight bits a sample by mu-law (ITU-T G.711), filtered again. Filters
    with steeper edges ring: a sound at 300 Hz lasts for tenths of a second.
    """
    narrow = _resampled(_telephone_band(wave), SAMPLE_RATE, TELEPHONE_RATE)
    coded = np.rint(127.5 * np.sign(narrow) * np.log1p(MU * np.abs(narrow)) / np.log1p(MU)) / 127.5
    decoded = np.sign(coded) * np.expm1(np.abs(coded) * np.log1p(MU)) / MU
    wide = _resampled(decoded, TELEPHONE_RATE, SAMPLE_RATE)
    return _telephone_band(_fitted(wide * FULL_SCALE, len(wave)))


def measured_room(pcm: Pcm) -> Wave:
    """Return a recorded impulse response, from its direct sound on."""
    response = pcm.astype(np.float64)
    return response[max(0, int(np.abs(response).argmax()) - _DIRECT_SOUND) :]


def simulated_room(rng: np.random.Generator) -> Wave:
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
    response: Wave = tail * ratio / np.sqrt(np.sum(tail**2))
    response[0] = 1.0
    return response


def convolve(wave: Wave, response: Wave) -> Wave:
    """Return a wave heard through an impulse response, cut to its own length."""
    size = 1 << (len(wave) + len(response) - 2).bit_length()
    spectrum = np.fft.rfft(wave, size) * np.fft.rfft(response, size)
    heard: Wave = np.fft.irfft(spectrum, size)[: len(wave)]
    return heard


def _room(background: Background, rng: np.random.Generator) -> Wave:
    if background.rooms:
        return background.rooms[int(rng.integers(len(background.rooms)))]
    return simulated_room(rng)


def _as_loud(response: Wave) -> Wave:
    """Return an impulse response of energy 1, through which sound is about as loud as before."""
    loud: Wave = response / np.sqrt(np.sum(response**2))
    return loud


def _noise(background: Background, length: int, rng: np.random.Generator) -> Wave:
    """Return a stretch of one noise, of RMS 1; silence where there is none."""
    usable = [piece for piece in background.noise if len(piece)]
    if not usable:
        return np.zeros(length)
    return _stretch(usable[int(rng.integers(len(usable)))], length, rng)


def _babble(background: Background, length: int, rng: np.random.Generator) -> Wave:
    """Return several other speakers at once, equally loud, of RMS 1."""
    if not background.voices:
        return np.zeros(length)
    total = np.zeros(length)
    for index in rng.integers(len(background.voices), size=BABBLE_VOICES):
        total += _stretch(trimmed(background.voices[int(index)]), length, rng)
    return total / max(rms(total), 1e-9)


def _stretch(piece: Pcm, length: int, rng: np.random.Generator) -> Wave:
    """Return `length` samples from a random place in a recording, repeated if needed, of RMS 1."""
    begin = int(rng.integers(max(1, len(piece))))
    wave = np.resize(np.roll(piece, -begin), length).astype(np.float64)
    return wave / max(rms(wave), 1e-9)


def _level(wave: Wave) -> Wave:
    """Return the RMS over 25 ms around each sample."""
    half = _SMOOTHED // 2
    total = np.pad(np.concatenate([[0.0], np.cumsum(wave**2)]), half, mode="edge")
    around = total[2 * half : -1] - total[: len(wave)]
    level: Wave = np.sqrt(np.maximum(0.0, around) / _SMOOTHED)
    return level


def _telephone_band(wave: Wave) -> Wave:
    """Filter with the response of a Butterworth filter and no delay."""
    padded = len(wave) + SAMPLE_RATE // 10  # what rings at one end must not reach the other
    frequency = np.fft.rfftfreq(padded, 1 / SAMPLE_RATE)
    low, high = TELEPHONE_BAND
    order = 2 * TELEPHONE_ORDER
    passed = frequency**order / (frequency**order + low**order)
    passed *= high**order / (high**order + frequency**order)
    band: Wave = np.fft.irfft(np.fft.rfft(wave, padded) * np.sqrt(passed), padded)[: len(wave)]
    return band


def _resampled(wave: Wave, rate: int, to: int) -> Wave:
    scaled = wave / FULL_SCALE if rate == SAMPLE_RATE else wave
    resampled: Wave = soxr.resample(scaled, rate, to)
    return resampled


def _fitted(wave: Wave, length: int) -> Wave:
    return np.pad(wave[:length], (0, max(0, length - len(wave))))
