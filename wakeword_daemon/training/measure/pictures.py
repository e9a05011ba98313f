"""The picture beside a model's card: misses over false accepts, and how scores are spread."""

from __future__ import annotations

import io
from typing import cast

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wakeword_daemon.training.measure.evaluation import StreamReport
from wakeword_daemon.training.measure.metrics import det_curve
from wakeword_daemon.training.measure.report import Results

WINDOW = 25
"""Steps (2 s) of other speech of which the highest score counts once in the histogram."""
FEWEST_PER_HOUR = 0.03
FEWEST_MISSED = 0.002


def draw(results: Results) -> bytes:
    """Return the picture as SVG, the same bytes for the same results."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    trade_off, spread = cast(tuple[Axes, Axes], figure.subplots(1, 2))
    _trade_off(trade_off, results)
    _spread(spread, results)
    figure.suptitle(f"“{results.phrase}”, speakers it never learned from")
    content = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "wakeword", "svg.fonttype": "none"}):
        figure.savefig(content, format="svg", metadata={"Date": None})
    return content.getvalue()


def _trade_off(axes: Axes, results: Results) -> None:
    for condition, report in results.measured.all_conditions().items():
        if not report.hours:
            continue
        accepts, misses = det_curve(report.takes, report.streams(), report.ends, report.hours)
        # Zero has no place on a logarithmic axis: it is drawn on the edge.
        axes.step(
            np.maximum(accepts, FEWEST_PER_HOUR),
            100 * np.maximum(misses, FEWEST_MISSED),
            where="post",
            label=f"{condition}, {report.hours:.1f} h",
        )
    axes.set(
        xscale="log",
        yscale="log",
        xlim=(FEWEST_PER_HOUR, 100),
        ylim=(100 * FEWEST_MISSED, 100),
        xlabel="false accepts an hour (left edge: none)",
        ylabel="missed, % (bottom edge: none)",
        title="Misses over false accepts",
    )
    axes.grid(alpha=0.3)
    axes.legend()


def _spread(axes: Axes, results: Results) -> None:
    both = results.measured.both("clean")
    bins = np.linspace(0, 1, 41).tolist()
    groups = {
        "the word": np.array([take.peak() for take in both.takes]),
        "other speech, every 2 s": _highest(both),
    }
    if results.measured.long_form is not None:
        groups["synthetic speech, every 2 s"] = _highest(results.measured.long_form)
    for name, values in groups.items():
        axes.hist(values, bins, histtype="step", linewidth=1.5, label=f"{name} ({len(values):,})")
    axes.axvline(results.threshold, color="black", linestyle=":", label="default threshold")
    axes.set(
        yscale="log", xlim=(0, 1), xlabel="highest score", ylabel="count", title="Scores, clean"
    )
    axes.grid(alpha=0.3)
    axes.legend()


def _highest(report: StreamReport) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    rows = [
        s[: len(s) // WINDOW * WINDOW].reshape(-1, WINDOW).max(axis=1) for s in report.streams()
    ]
    return np.concatenate(rows)
