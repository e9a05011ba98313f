"""Each spoken word gives one detection."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wakeword_daemon.clock import HOP, SAMPLE_RATE
from wakeword_daemon.engine.trigger import Trigger, WordSettings
from wakeword_daemon.errors import ConfigError


def fired(trigger, scores):
    """Return the indices of the steps that fired."""
    return [i for i, score in enumerate(scores) if trigger.step(score, i * HOP) is not None]


def test_a_crossing_fires_once():
    assert fired(Trigger(0.5), [0, 0.2, 0.6, 0.9, 0.8, 0.55, 0.1, 0]) == [2]


def test_a_score_around_the_threshold_fires_once():
    scores = [0.0] + [0.6, 0.4] * 40
    assert fired(Trigger(0.5, refractory=0), scores) == [1]


def test_it_fires_again_after_a_low_score_and_the_refractory_time():
    scores = [0.0, 0.9, 0.0] + [0.0] * 20 + [0.9, 0.0]
    assert fired(Trigger(0.5, refractory=1.0), scores) == [1, 23]
    assert fired(Trigger(0.5, refractory=3.0), scores) == [1]


def test_a_word_within_the_refractory_time_does_not_fire_later():
    scores = [0.9, 0.0] + [0.9] * 30
    steps = fired(Trigger(0.5, refractory=1.0), scores)
    assert steps == [0, 13]  # 13 steps are 1.04 s: still spoken then, so a word of its own


def test_the_refractory_time_runs_on_the_sample_clock():
    trigger = Trigger(0.5, refractory=1.0)
    day = 24 * 3600 * SAMPLE_RATE
    assert trigger.step(0.9, day) == 0.9
    trigger.step(0.0, day + HOP)
    assert trigger.step(0.9, day + SAMPLE_RATE - 1) is None
    assert trigger.step(0.9, day + SAMPLE_RATE) == 0.9


def test_smoothing_averages_and_starts_low():
    trigger = Trigger(0.5, smoothing=3)
    assert [trigger.step(1.0, i * HOP) for i in range(2)] == [None, pytest.approx(2 / 3)]


def test_a_reset_forgets_scores_but_not_the_refractory_time():
    trigger = Trigger(0.6, smoothing=2, refractory=1.0)
    trigger.step(1.0, 0)
    assert trigger.step(1.0, HOP) == 1.0
    trigger.reset()
    assert fired(trigger, [1.0, 1.0, 1.0]) == []
    assert trigger.step(1.0, HOP + SAMPLE_RATE) == 1.0


@given(st.lists(st.floats(0, 1), max_size=200), st.floats(0.05, 1), st.floats(0, 2))
def test_detections_are_at_least_the_refractory_time_apart(scores, threshold, refractory):
    steps = fired(Trigger(threshold, refractory=refractory), scores)
    assert all((b - a) * HOP >= round(refractory * SAMPLE_RATE) for a, b in pairwise(steps))
    assert all(scores[i] >= threshold for i in steps)
    assert bool(steps) == any(score >= threshold for score in scores)


@pytest.mark.parametrize(
    "wrong", [{"threshold": 0.0}, {"threshold": 1.1}, {"smoothing": 0}, {"refractory": -1.0}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError):
        WordSettings(**wrong)
