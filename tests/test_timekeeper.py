"""The two clocks: what is lost is counted, what only jitters or drifts slowly is not."""

import numpy as np
import pytest

from wakeword_daemon.audio.timekeeper import DriftError, Timekeeper
from wakeword_daemon.clock import HOP, samples

BLOCK = 0.08


def running(at=1_000.0, blocks=50):
    """A timekeeper in the middle of a stream whose last block was captured at `at`."""
    keeper = Timekeeper()
    for index in range(blocks):
        assert keeper.block(at - (blocks - 1 - index) * BLOCK) == 0
    return keeper


@pytest.mark.parametrize("error", [-1e-4, 1e-4])
def test_hours_of_sound_card_drift_lose_nothing(error):
    keeper = running(0.0)
    for block in range(1, int(6 * 3600 / BLOCK) + 1):
        assert keeper.block(block * BLOCK * (1 + error)) == 0
    assert keeper.until == pytest.approx(6 * 3600 * (1 + error), abs=0.01)


def test_late_deliveries_do_not_count_as_loss():
    keeper, late = running(0.0), np.random.default_rng(1)
    for block in range(1, 5_000):
        assert keeper.block(block * BLOCK + late.choice([0.0, 0.05, 0.16, 0.24])) == 0
        assert keeper.until == pytest.approx(block * BLOCK, abs=0.01)


def test_audio_held_back_briefly_does_not_count_as_loss():
    keeper = running(0.0)
    for block in range(1, 12):
        assert keeper.block(0.9 + block * 1e-3) == 0, "a burst of old blocks after a hang"
    assert keeper.block(12 * BLOCK) == 0
    assert keeper.until == pytest.approx(12 * BLOCK, abs=0.002)


def test_silently_lost_audio_is_counted():
    keeper = running(0.0)
    missing = [keeper.block(0.6 + block * BLOCK) for block in range(1, 101)]
    assert sum(bool(count) for count in missing) == 1
    assert sum(missing) == pytest.approx(samples(0.6), abs=HOP // 10)
    assert keeper.until == pytest.approx(0.6 + 100 * BLOCK, abs=0.002)


@pytest.mark.parametrize("jump", [1.5, -1.5])
def test_clocks_that_differ_by_more_than_a_second_need_a_new_stream(jump):
    keeper = running(0.0)
    with pytest.raises(DriftError, match="off the computer's clock"):
        keeper.block(BLOCK + jump)
    keeper.broken()
    assert keeper.block(5.0) == samples(5.0 - BLOCK), "all that was missed, for the block is out"


def test_a_new_stream_counts_the_time_without_audio():
    keeper = running(100.0)
    keeper.broken(unread=samples(0.03))
    assert keeper.block(110.0 + BLOCK) == samples(10.03)
    assert keeper.block(110.0 + 2 * BLOCK) == 0


def test_every_break_is_counted_even_if_no_time_was_lost():
    keeper = running(100.0)
    keeper.broken()
    assert keeper.block(100.0 + BLOCK) == 1
    assert keeper.block(100.0 + 2 * BLOCK, dropped=True) == 1
    assert keeper.block(100.5 + 3 * BLOCK, dropped=True) == samples(0.5)


def test_time_before_the_first_audio_is_no_gap():
    keeper = Timekeeper()
    keeper.broken()
    assert keeper.block(12_345.0) == 0
