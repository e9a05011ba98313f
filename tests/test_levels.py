"""Levels, noise floor and signal-to-noise ratio of known signals."""

import numpy as np
import pytest

from wakeword_daemon.clock import HOP, SAMPLE_RATE
from wakeword_daemon.levels import SILENCE, level, noise_floor, of_hops, signal_to_noise


def noise(seconds, dbfs, seed=0):
    values = np.random.default_rng(seed).normal(size=round(seconds * SAMPLE_RATE))
    return values * 32_768 * 10 ** (dbfs / 20)


def hops(signal):
    return of_hops(signal.round().clip(-32_768, 32_767).astype(np.int16))


def test_level_of_a_tone_and_of_silence():
    tone = 16_384 * np.sin(2 * np.pi * 1000 * np.arange(SAMPLE_RATE) / SAMPLE_RATE)
    assert level(tone.astype(np.int16)) == pytest.approx(-9.03, abs=0.01)
    assert level(np.zeros(HOP, np.int16)) == level(np.zeros(0, np.int16)) == SILENCE


def test_the_noise_floor_is_right_while_somebody_speaks():
    room = noise(8, -55)
    room[2 * SAMPLE_RATE : 7 * SAMPLE_RATE] += noise(5, -20, seed=1)
    assert noise_floor(hops(room)) == pytest.approx(-55, abs=0.5)
    assert noise_floor([]) == SILENCE


@pytest.mark.parametrize("ratio", [0, 5, 10, 20, 30])
def test_the_signal_to_noise_ratio_leaves_pauses_out(ratio):
    second = noise(1, -50)
    second[4 * HOP : 9 * HOP] += noise(5 * HOP / SAMPLE_RATE, -50 + ratio, seed=1)
    assert signal_to_noise(hops(second), -50) == pytest.approx(ratio, abs=1)


def test_noise_alone_has_the_lowest_ratio():
    assert signal_to_noise([-50.0] * 12, -50.0) == -20
    assert signal_to_noise([-60.0] * 12, -50.0) == -20
    assert signal_to_noise([], -50.0) == -20
