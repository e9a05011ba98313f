"""The metrics agree with their definitions, computed the slow way."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeword_daemon.clock import HOP
from wakeword_daemon.engine.trigger import Trigger
from wakeword_daemon.training.measure.evaluation import StreamReport
from wakeword_daemon.training.measure.metrics import (
    ScoredTake,
    clip_metric,
    det_curve,
    false_accepts,
    operating_points,
    poisson,
    wilson,
)
from wakeword_daemon.training.measure.thresholds import default_threshold, shown_points


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
def test_clip_metric_is_the_area_even_with_ties(clips):
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
def test_false_accepts_are_counted_as_by_the_running_trigger(scores, threshold):
    trigger = Trigger(threshold)
    expected = sum(
        trigger.step(score, int(end)) is not None
        for score, end in zip(scores, ends(len(scores)), strict=True)
    )
    assert false_accepts([np.array(scores, np.float32)], ends(len(scores)), threshold) == expected


def take(peak, at=20):
    scores = np.zeros(60, np.float32)
    scores[at] = peak
    return ScoredTake(scores, ends(60), 15 * HOP, 19 * HOP, "somebody")


def test_a_peak_counts_only_near_the_word():
    assert take(0.9).peak() == pytest.approx(0.9)
    assert take(0.9, at=5).peak() == 0
    assert take(0.9, at=19 + 11).peak() == 0  # more than 0.75 s after the end


def test_operating_points_stay_within_their_targets():
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
    # Each is the lowest: a hair below it one more false accept would be one too many.
    for point, target in zip(points, (0.1, 0.25, 0.5, 1.0, 2.0), strict=True):
        lower = np.nextafter(np.float32(point.threshold), np.float32(0))
        assert false_accepts(other, ends(45_000), float(lower)) / 2 > target


def test_wilson_interval_of_known_cases():
    low, high = wilson(0, 20)
    assert low == 0
    assert high == pytest.approx(0.161, abs=1e-3)
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_poisson_interval_equals_published_values():
    # Exact 95 % intervals of a Poisson count: Ulm 1990 (Am J Epidemiol 131:373), from chi-squared.
    for count, low, high in ((0, 0, 3.689), (1, 0.0253, 5.572), (5, 1.623, 11.668),
                             (20, 12.217, 30.888), (100, 81.364, 121.627)):  # fmt: skip
        assert poisson(count) == pytest.approx((low, high), rel=0.02, abs=0.02)


def test_the_det_curve_follows_each_threshold():
    rng = np.random.default_rng(0)
    other = [rng.beta(1, 8, 5000).astype(np.float32) for _ in range(2)]
    takes = [take(p) for p in rng.uniform(0.2, 1, 50)]
    accepts, misses = det_curve(takes, other, ends(5000), 0.2, points=20)
    assert len(accepts) == len(misses) == 20
    assert accepts[0] == false_accepts(other, ends(5000), 0.02) / 0.2
    assert accepts[-1] == 0
    assert misses[0] == 0
    assert (np.diff(misses) >= 0).all()
    assert misses[-1] == np.mean([t.peak() < max(t.peak() for t in takes) for t in takes])


def said_again(scores, at=40):
    return ScoredTake(
        np.array(scores, np.float32), ends(60), at * HOP, (at + 4) * HOP, "s", 15 * HOP
    )


def test_a_repeated_word_must_fire_again():
    scores = np.zeros(60, np.float32)
    scores[[18, 42]] = 0.9
    assert not said_again(scores).missed(0.5)
    held = scores.copy()
    held[18:43] = 0.9  # never falls in between: one detection
    assert said_again(held).missed(0.5)
    assert not said_again(np.where(np.arange(60) == 42, 0.9, 0)).missed(0.5)  # the first unheard
    soon = np.zeros(60, np.float32)
    soon[[18, 27]] = 0.9  # 0.72 s after the first: within the refractory time
    assert said_again(soon, at=26).missed(0.5)


def report(*sources):
    """Return a report on other speech: per source, how many scores lie at 0.7, and the hours."""
    others = {}
    for name, count, _ in sources:
        scores = np.zeros(4000, np.float32)
        scores[np.arange(count) * 30] = 0.7
        others[name] = [scores]
    takes = [take(p) for p in (0.6, 0.65, 0.8, 0.9)]
    return StreamReport(takes, others, ends(4000), {name: h for name, _, h in sources})


def test_the_default_threshold_stays_within_its_rate_in_every_source():
    many = ("many", 2, 20.0)  # 0.1 an hour
    assert default_threshold([[report(many)]], 0.5) < 0.7
    few = ("few", 2, 0.5)  # two in half an hour: the mean would hide them
    assert default_threshold([[report(many, few)]], 0.5) > 0.7
    assert default_threshold([[report(many)], [report(few)]], 0.5) > 0.7
    once = ("few", 1, 0.5)  # one in half an hour shows no rate
    assert default_threshold([[report(many, once)]], 0.5) < 0.7
    assert default_threshold([[report(once)]], 0.5) > 0.7  # but it is all there is


def test_the_default_threshold_does_not_hang_on_one_draw_of_noise():
    many, none = [report(("many", 2, 20.0))], ("few", 0, 0.5)
    once, thrice, often = (("few", count, 0.5) for count in (1, 3, 5))
    assert default_threshold([many, [report(none), report(thrice)]], 0.5) > 0.7
    assert default_threshold([many, [report(none), report(once)]], 0.5) < 0.7
    assert default_threshold([many, [report(none)] * 2 + [report(thrice)]], 0.5) < 0.7
    assert default_threshold([many, [report(none)] * 2 + [report(often)]], 0.5) > 0.7


def test_no_operating_point_has_a_rate_too_low_for_its_hours():
    points = shown_points([report(("one", 3, 3.0))], threshold=0.5, default=0.5)
    assert [target for target, _ in points] == [0.5, 1.0, 2.0]  # 0.1 and 0.25 need ten and four
    assert all(target * 3 >= 1 for target, _ in points)


@given(st.integers(0, 40), st.floats(0.05, 0.95), st.floats(0.5, 40))
@settings(max_examples=30)
def test_a_stricter_point_never_has_a_lower_threshold(count, threshold, hours):
    points = shown_points([report(("one", count, hours))], threshold, default=0.5)
    thresholds = [p.threshold for _, p in points]
    assert thresholds == sorted(thresholds, reverse=True)
    assert all(p.threshold >= threshold for target, p in points if target <= 0.5)
    assert all(p.threshold <= threshold for target, p in points if target > 0.5)
