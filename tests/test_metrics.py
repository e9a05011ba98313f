"""The metrics agree with their definitions, computed the slow way."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeword_daemon.clock import HOP, SAMPLE_RATE
from wakeword_daemon.engine.trigger import Trigger
from wakeword_daemon.training.measure.metrics import (
    Take,
    clip_metric,
    false_accepts,
    operating_points,
    wilson,
)


def direct_clip_metric(scores, labels):
    """Sweep every threshold from above all scores to below them, trapezoid by trapezoid."""
    points = []
    for threshold in [np.inf, *sorted(set(scores), reverse=True)]:
        accepted = [s >= threshold for s in scores]
        fa = sum(a and not p for a, p in zip(accepted, labels, strict=True)) / len(scores)
        fr = sum(p and not a for a, p in zip(accepted, labels, strict=True)) / len(scores)
        points.append((fa, fr))
    return sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(points))


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.1, 0.5, 0.5001, 0.9, 1.0]), st.booleans()),
        min_size=1,
        max_size=60,
    )
)
def test_clip_metric_is_the_area_with_ties(clips):
    scores, labels = zip(*clips, strict=True)
    assert clip_metric(scores, labels) == pytest.approx(
        direct_clip_metric(scores, labels), abs=1e-12
    )


def test_clip_metric_of_known_cases():
    assert clip_metric([0.9, 0.8, 0.2, 0.1], [True, True, False, False]) == 0
    assert clip_metric([0.1, 0.2, 0.8, 0.9], [True, True, False, False]) == 0.25
    assert clip_metric([0.5] * 4, [True, True, False, False]) == 0.125


def ends(count):
    return np.arange(1, count + 1, dtype=np.int64) * HOP


@settings(max_examples=60)
@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=200), st.floats(0.05, 1))
def test_false_accepts_are_counted_as_the_running_detector_fires(scores, threshold):
    trigger = Trigger(threshold)
    expected = sum(
        trigger.step(score, int(end)) is not None
        for score, end in zip(scores, ends(len(scores)), strict=True)
    )
    assert false_accepts([np.array(scores, np.float32)], ends(len(scores)), threshold) == expected


def take(peak, at=20):
    scores = np.zeros(60, np.float32)
    scores[at] = peak
    return Take(scores, ends(60), 15 * HOP, 19 * HOP, "somebody")


def test_a_peak_counts_only_where_the_word_is():
    assert take(0.9).peak() == pytest.approx(0.9)
    assert take(0.9, at=5).peak() == 0
    assert take(0.9, at=19 + 11).peak() == 0  # more than 0.75 s after the end


def test_operating_points_keep_within_their_target():
    rng = np.random.default_rng(0)
    other = [rng.beta(1, 8, 45_000).astype(np.float32) for _ in range(2)]  # two hours
    takes = [take(p) for p in rng.uniform(0.4, 1, 200)]
    points = operating_points(takes, other, ends(45_000), hours=2.0)
    rates = [p.false_accepts_per_hour for p in points]
    assert all(
        rate <= target for rate, target in zip(rates, (0.1, 0.25, 0.5, 1.0, 2.0), strict=True)
    )
    assert [p.miss_rate for p in points] == sorted((p.miss_rate for p in points), reverse=True)
    for point in points:
        assert (
            false_accepts(other, ends(45_000), point.threshold) / 2 == point.false_accepts_per_hour
        )
        assert point.miss_rate == np.mean([t.peak() < point.threshold for t in takes])
    # A hair below each threshold there is one false accept too many, unless none was allowed.
    lower = false_accepts(other, ends(45_000), points[-1].threshold * 0.999)
    assert lower / 2 > 2.0 or lower >= points[-1].false_accepts_per_hour * 2


def test_wilson_interval():
    low, high = wilson(0, 20)
    assert low == 0
    assert high == pytest.approx(0.161, abs=1e-3)
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)
    assert SAMPLE_RATE == 16_000
