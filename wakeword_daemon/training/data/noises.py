"""Noise and music made by arithmetic, for where there are no recordings of noise.

Steady noises (a fan, rain, a road), hum, noises that come and go (waves, steps, keys, dishes), and
plain music: chords, a tune and drums. Real rooms have more; recordings of yours in the folder
`noise` of `--data` are better.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.storage import atomic_folder
from wakeword_daemon.training.data.corpus import Recording

Wave = npt.NDArray[np.float64]

SOURCE = "synthesized noise"
SECONDS = 12
EACH = 3
"""Recordings of each kind."""


def noises(cache: Path) -> list[Recording]:
    """Return recordings of all kinds of noise, made once; every fifth kind is for measuring."""
    folder = cache / "noise-1"
    if not folder.exists():
        with atomic_folder(folder) as made:
            for number, (name, make) in enumerate(_KINDS.items()):
                for take in range(EACH):
                    wave = make(np.random.default_rng([number, take]))
                    wave *= 0.2 / max(float(np.abs(wave).max()), 1e-9)
                    soundfile.write(made / f"{name}_{take}.wav", wave, SAMPLE_RATE)
    return [
        Recording(path, word="", speaker="", split="train", source=SOURCE, noise=True)
        for path in sorted(folder.glob("*.wav"))
    ]


def _coloured(rng: np.random.Generator, slope: float, low: float, high: float) -> Wave:
    """Return noise whose amplitude falls with frequency to the power of `slope`, within a band."""
    count = SECONDS * SAMPLE_RATE
    spectrum = np.fft.rfft(rng.normal(0, 1, count))
    frequency = np.fft.rfftfreq(count, 1 / SAMPLE_RATE)
    shape = np.maximum(frequency, 20.0) ** -slope
    shape *= (frequency > low) & (frequency < high)
    return np.fft.irfft(spectrum * shape, count)


def _swelling(rng: np.random.Generator, wave: Wave, period: float) -> Wave:
    """Return a noise that comes and goes about once in so many seconds."""
    points = int(SECONDS / period) + 2
    heights = rng.uniform(0.1, 1, points)
    at = np.linspace(0, points - 1, len(wave))
    return wave * np.interp(at, np.arange(points), heights)


def _strokes(rng: np.random.Generator, rate: float, fade: float, low: float, high: float) -> Wave:
    """Return short noises, `rate` a second, each fading within about `fade` seconds."""
    struck = np.zeros(SECONDS * SAMPLE_RATE)
    places = np.cumsum(rng.exponential(1 / rate, int(2 * rate * SECONDS)))
    for place in places[places < SECONDS - 1]:
        struck[int(place * SAMPLE_RATE)] = rng.uniform(0.3, 1)
    time = np.arange(int(6 * fade * SAMPLE_RATE)) / SAMPLE_RATE
    grain = _coloured(rng, 0, low, high)[: len(time)] * np.exp(-time / fade)
    return np.convolve(struck, grain)[: len(struck)]


def _hum(rng: np.random.Generator) -> Wave:
    time = np.arange(SECONDS * SAMPLE_RATE) / SAMPLE_RATE
    base = rng.choice([50.0, 60.0, rng.uniform(80, 200)])
    overtones = rng.uniform(0.05, 1, 12) / np.arange(1, 13)
    wave: Wave = sum(
        (
            height * np.sin(2 * np.pi * base * (k + 1) * time + rng.uniform(0, 6))
            for k, height in enumerate(overtones)
        ),
        np.zeros(len(time)),
    )
    return wave + 0.02 * rng.normal(0, 1, len(time))


def _dishes(rng: np.random.Generator) -> Wave:
    """Return ringing strokes, as of plates and glasses."""
    time = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE
    wave = np.zeros(SECONDS * SAMPLE_RATE)
    for _ in range(3 * SECONDS):
        ring = sum(
            (
                rng.uniform(0.2, 1) * np.sin(2 * np.pi * frequency * time)
                for frequency in rng.uniform(900, 6500, 5)
            ),
            np.zeros(len(time)),
        ) * np.exp(-time / rng.uniform(0.02, 0.12))
        at = int(rng.integers(0, len(wave) - len(ring)))
        wave[at : at + len(ring)] += ring * rng.uniform(0.2, 1)
    return wave


def _music(rng: np.random.Generator) -> Wave:
    """Return chords, a tune above them and drums below, in a scale and a tempo that are drawn."""
    beat = int(SAMPLE_RATE * 60 / rng.uniform(70, 150))
    key = rng.integers(45, 57)
    scale = np.array((0, 2, 4, 5, 7, 9, 11) if rng.random() < 0.6 else (0, 2, 3, 5, 7, 8, 10))  # noqa: PLR2004 - a share
    wave = np.zeros(SECONDS * SAMPLE_RATE + 8 * beat)
    overtones = rng.uniform(0, 1, 8) / np.arange(1, 9)
    for start in range(0, SECONDS * SAMPLE_RATE, 4 * beat):
        degree = int(rng.choice([0, 3, 4, 5]))
        notes = [
            key + scale[(degree + step) % 7] + 12 * ((degree + step) // 7) for step in (0, 2, 4)
        ]
        for note in notes:
            _play(wave, start, 4 * beat, note, 0.25, overtones)
        at = start
        while at < start + 4 * beat:
            length = int(beat * rng.choice([0.5, 1, 1, 2]))
            tune = key + 12 + scale[int(rng.integers(7))]
            _play(wave, at, length, tune, 0.5, overtones)
            at += length
        for number in range(4):
            stroke = rng.normal(0, 1, beat // 3) * np.exp(-np.arange(beat // 3) / (beat / 20))
            at = start + number * beat
            wave[at : at + len(stroke)] += 0.3 * stroke
    return wave[: SECONDS * SAMPLE_RATE]


def _play(  # noqa: PLR0917 - a note has as many sides
    wave: Wave, start: int, length: int, note: float, height: float, overtones: Wave
) -> None:
    """Add one note, numbered as MIDI does, that sounds like a plucked or a bowed string."""
    time = np.arange(length) / SAMPLE_RATE
    pitch = 440 * 2 ** ((note - 69) / 12)
    tone = sum(
        (
            strength * np.sin(2 * np.pi * pitch * (k + 1) * time)
            for k, strength in enumerate(overtones)
        ),
        np.zeros(length),
    )
    fade = np.minimum(1, np.minimum(time, time[::-1]) / 0.01) * np.exp(-time / 0.8)
    into = wave[start : start + length]
    into += height * (tone * fade)[: len(into)]


_KINDS: dict[str, Callable[[np.random.Generator], Wave]] = {
    "air": lambda r: _coloured(r, 1, 20, 8000),
    "clicks": lambda r: _strokes(r, 6, 0.01, 800, 7000),
    "dishes": _dishes,
    "fan": lambda r: _coloured(r, r.uniform(0.7, 1.2), 30, 5000) + 0.2 * _hum(r),
    "guitar": _music,
    "hum": _hum,
    "music": _music,
    "rain": lambda r: _strokes(r, 300, 0.003, 500, 8000),
    "road": lambda r: _swelling(r, _coloured(r, 1.5, 20, 3000), 3),
    "steps": lambda r: _strokes(r, 2, 0.05, 40, 900),
    "waves": lambda r: _swelling(r, _coloured(r, 0.5, 100, 8000), 1.5),
}
"""By name, in order. Every fifth is for measuring and not for training: guitar and steps."""
