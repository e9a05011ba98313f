"""When a room is calm: what counts is not its level, but whether it changes."""

import numpy as np
import pytest
from support import room

from wakeword_daemon.clock import HOP
from wakeword_daemon.service.calm import Calm

RNG = np.random.default_rng(1)


def hops(pcm):
    return np.split(pcm[: len(pcm) // HOP * HOP], len(pcm) // HOP)


def steady(seconds, level):
    """White noise of that level, dBFS."""
    return np.rint(RNG.normal(0, 32_768 * 10 ** (level / 20), int(16_000 * seconds))).astype(
        np.int16
    )


def hear(calm, pcm, nearness=0.0):
    """Return for each hop whether the room was calm after it."""
    found = []
    for hop in hops(pcm):
        calm.hop(np.mean(np.square(hop, dtype=float)), nearness)
        found.append(calm.lasts)
    return found


@pytest.mark.parametrize("level", [-90, -70, -50, -30])
def test_a_steady_room_is_calm_after_two_seconds_at_any_level(level):
    found = hear(Calm(), steady(10, level))
    assert not any(found[:24])
    assert all(found[30:])


def test_silence_of_exact_zeros_is_calm():
    assert hear(Calm(), np.zeros(64_000, np.int16))[-1]


@pytest.mark.parametrize("level", [-65, -45])
def test_a_word_ends_the_calm_within_its_first_hops(level):
    calm = Calm()
    hear(calm, steady(10, level))
    (word, _) = room.spoken_words(1)
    speech = word[np.flatnonzero(np.abs(word) > 3_000)[0] :][: 3 * HOP]
    assert not any(hear(calm, speech + steady(0.24, level)[: len(speech)])[1:])


def test_speech_at_the_level_of_the_noise_ends_the_calm():
    calm = Calm()
    hear(calm, steady(10, -40))
    assert not hear(calm, steady(0.08, -36.9))[0]


def test_a_rising_score_ends_the_calm_without_a_sound():
    calm = Calm()
    assert hear(calm, steady(10, -60))[-1]
    assert not any(hear(calm, steady(0.32, -60), nearness=0.1))


def test_speech_with_pauses_is_never_calm():
    assert not any(hear(Calm(), room.speech(20)))


def test_a_fan_becomes_part_of_the_noise_floor():
    calm = Calm()
    hear(calm, steady(10, -60))
    found = hear(calm, steady(60, -45))
    assert not any(found[:25])
    assert all(found[-25:])
