"""The default threshold of a word, and the operating points that its model file offers."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

from wakeword_daemon.training.measure.evaluation import StreamReport
from wakeword_daemon.training.measure.metrics import TARGETS, ErrorRates, lowest_threshold


def default_threshold(reports: Sequence[StreamReport], target: float) -> float:
    """Return the lowest threshold that keeps within a target, in all speech and in each kind.

    All reports together stay within `target` false accepts an hour. So does each source under each
    condition, and each condition as a whole, where its hours can show it: strangers resemble one
    source or another, and a mean over all of them hides the worst. One false accept in fewer hours
    than that shows nothing, so each is allowed one; the report gives the interval.

    Args:
        reports: one for each condition, and any more hours of speech.
        target: false accepts an hour.

    """
    together = functools.reduce(StreamReport.joined, reports)
    thresholds = [
        lowest_threshold(streams, report.ends, max(1, int(target * hours)))
        for report in reports
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
