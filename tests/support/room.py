"""What is played into a microphone that is measured: words, other speech, noise, and silence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import soundfile
from support.daemon import AUDIO, end_of_speech

from wakeword_daemon.clock import SAMPLE_RATE, samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOISE = -45.0
"""Level of the noise, dBFS; the words are about 20 dB louder."""
BEFORE_A_WORD = ("silence", "noise", "other speech")


@dataclass(frozen=True)
class SpokenWord:
    """A word in a recording."""

    end: int
    """Index one past its last loud sample."""
    before: str
    """What was heard before it: one of BEFORE_A_WORD; noise also goes on during the word."""


def speech(seconds: float) -> NDArray[np.int16]:
    """Return other speech, with natural pauses."""
    sentence = _take("other-slt")
    return np.resize(sentence, samples(seconds))


def noise(seconds: float, seed: int = 0) -> NDArray[np.int16]:
    """Return pink noise, like that of a fan or of traffic."""
    count = samples(seconds)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), count / SAMPLE_RATE * 50))
    wave = np.fft.irfft(spectrum, count)
    wave *= 32_768 * 10 ** (NOISE / 20) / np.sqrt(np.mean(wave**2))
    return np.rint(wave).astype(np.int16)


def spoken_words(count: int, seed: int = 0) -> tuple[NDArray[np.int16], list[SpokenWord]]:
    """Return `count` words at random times, each after one of BEFORE_A_WORD in turn."""
    rng = np.random.default_rng(seed)
    pieces: list[NDArray[np.int16]] = []
    words: list[SpokenWord] = []
    length = 0
    for number in range(count):
        word = _take(("jarvis-slt", "jarvis-rms")[number % 2])
        word = word[: end_of_speech(word)]
        before = BEFORE_A_WORD[number % len(BEFORE_A_WORD)]
        # Long enough for the daemon to count the room as calm.
        lead = np.zeros(samples(rng.uniform(4, 5)), np.int16)
        tail = np.zeros(samples(0.8), np.int16)
        piece = np.concatenate((lead, word, tail))
        end = length + len(lead) + len(word)
        if before == "noise":
            begin = samples(rng.uniform(0.5, 1.5))
            piece[begin:] += noise(len(piece) / SAMPLE_RATE, number)[begin:]
        elif before == "other speech":
            other = speech(2.4)
            stop = len(lead) - samples(rng.uniform(0.1, 0.3))
            piece[stop - len(other) : stop] += other
        pieces.append(piece)
        length += len(piece)
        words.append(SpokenWord(end, before))
    return np.concatenate(pieces), words


def _take(name: str) -> NDArray[np.int16]:
    pcm, _ = soundfile.read(AUDIO / f"{name}.flac", dtype="int16")
    found: NDArray[np.int16] = pcm
    return found
