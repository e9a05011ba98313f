"""The default threshold of a word, and the operating points that its model file offers."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.training.measure.conditions import Condition
from wakeword_daemon.training.measure.evaluation import (
    FeatureStreams,
    SpeechSet,
    StreamReport,
    build_streams,
)
from wakeword_daemon.training.measure.metrics import TARGETS, ErrorRates, lowest_threshold

DRAWS = 6
"""Draws of noise and rooms that decide about the default threshold. View glass, whose threshold
held in one draw, had 1.3 false accepts an hour over four others."""


def in_draws(
    speech: SpeechSet, features: FeatureSettings, condition: Condition
) -> Iterator[FeatureStreams]:
    """Render other speech under a condition, in each draw of noise and rooms, if it draws any."""
    for draw in range(DRAWS if condition.is_drawn else 1):  # seeds between are of the other half
        others = replace(speech, takes=[], seed=speech.seed + 2 * draw)
        yield build_streams(others, features, condition)


def default_threshold(heard: Sequence[Sequence[StreamReport]], target: float) -> float:
    """Return the lowest threshold that keeps within a target, in all speech and in each kind.

    All reports together stay within `target` false accepts an hour. So does each source under each
    condition, and each condition as a whole, where its hours can show it: strangers resemble one
    source or another, and a mean over all of them hides the worst. One false accept in fewer hours
    than that shows nothing, so each is allowed one; the report gives the interval.

    Args:
        heard: for each condition, and any more speech, a report for each draw of noise or rooms,
            or one. In the mean of its draws, a condition stays within what one draw is allowed, and
            it counts as much as another in all speech.
        target: false accepts an hour.

    """
    conditions = [functools.reduce(StreamReport.joined, draws) for draws in heard]
    most = max(len(draws) for draws in heard)
    repeated = [report for draws in heard for report in [*draws] * (most // len(draws))]
    together = functools.reduce(StreamReport.joined, repeated)
    thresholds = [
        lowest_threshold(
            streams, report.ends, len(draws) * max(1, int(target * hours / len(draws)))
        )
        for draws, report in zip(heard, conditions, strict=True)
        for streams, hours in (
            *((report.others[s], report.hours_of[s]) for s in report.others),
            (report.streams(), report.hours),
        )
        if streams
    ]
    overall = lowest_threshold(together.streams(), together.ends, target * together.hours)
    return max(overall, *thresholds)


def shown_points(
    reports: Iterable[StreamReport], threshold: float, default: float
) -> list[tuple[float, ErrorRates]]:
    """Return the operating points that the measured hours can show, with their targets.

    A target is left out where it would take more than all hours for one false accept. A stricter
    target than the default's never has a lower threshold than the default, nor a looser one a
    higher.

    Args:
        reports: the misses of the first are reported; the false accepts of all of them count.
        threshold: the default threshold.
        default: the false accepts an hour that it was chosen to stay within.

    """
    first, *more = reports
    together = functools.reduce(StreamReport.joined, more, first)
    points: list[tuple[float, ErrorRates]] = []
    for target in TARGETS:
        if target * together.hours < 1:
            continue
        found = lowest_threshold(together.streams(), together.ends, target * together.hours)
        kept = max(found, threshold) if target <= default else min(found, threshold)
        accepts = together.accepts(kept) / together.hours
        points.append((target, ErrorRates(kept, first.missed(kept) / len(first.takes), accepts)))
    return points
