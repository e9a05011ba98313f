"""Draws the laboratory's two pictures: accuracy over work, and accuracy over memory."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wakeword_daemon.lab.table import TableRow
from wakeword_daemon.storage import write_atomically

THEIRS = "dimgray"


@dataclass(frozen=True, slots=True)
class _Published:
    """A published student, compared with its own teacher on its own clips.

    Attributes:
        name: its name in the picture.
        fewer: how many times fewer MACs than its teacher.
        smaller: how many times fewer bytes.
        metric: its clip metric over its teacher's.

    """

    name: str
    fewer: float
    smaller: float
    metric: float


PUBLISHED = (
    _Published("report: dark knowledge", 5.3, 6.5, 3.7 / 2.9),
    _Published("report: + attention", 5.3, 6.6, 5.2 / 2.9),
    _Published("report: + quantization", 5.3, 16, 5.2 / 2.9),
    # Its own teacher is not known here; the report's teacher is used instead.
    _Published("public plain RNN", 9.1, 12.5, 5.3 / 2.9),
    _Published("best public student", 14, 27, 5.2 / 2.6),
)


def draw(table: Sequence[TableRow], folder: Path) -> list[Path]:
    """Draw metric over MACs and metric over memory into `folder`; return the files.

    The clip metric depends on its clips, so every network is drawn as a ratio to its own teacher.
    Nothing is drawn where there is no teacher to compare with.
    """
    rows = [row for row in table if row.times_teacher("clip_metric") is not None]
    if not rows:
        return []
    files = []
    for name, figure, title, label in (
        ("macs", "macs", "accuracy over work", "times fewer multiply-accumulates than the teacher"),
        ("memory", "file_bytes", "accuracy over memory", "times fewer bytes than the teacher"),
    ):
        picture = Figure(figsize=(9, 5.5), layout="constrained")
        axes = picture.subplots()
        _draw_published(axes, name)
        _draw_ours(axes, rows, figure)
        axes.set_xscale("log")
        ticks = [1, 2, 5, 10, 20, 40, 80]
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel(label)
        axes.set_ylabel("clip metric over that of the teacher (lower is better)")
        axes.set_ylim(bottom=0)
        axes.set_xlim(0.7, 90)
        axes.set_title(f"{title}; bars from the lowest to the highest seed")
        axes.axhline(1, color="black", linewidth=0.8)
        axes.grid(alpha=0.3)
        picture.legend(loc="outside lower center", ncols=5, frameon=False)
        file = io.BytesIO()
        # No date and no random names of parts, so that the file changes only with its figures.
        with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
            picture.savefig(file, format="svg", metadata={"Date": None})
        files.append(folder / f"{name}.svg")
        write_atomically(files[-1], file.getvalue())
    return files


def _draw_ours(axes: Axes, rows: Sequence[TableRow], figure: str) -> None:
    """Draw our rows, each in its own colour, because points are often close together."""
    for index, row in enumerate(rows):
        ratio = row.times_teacher(figure)
        theirs = mean(run["clip_metric"] for run in row.teacher)
        metrics = [metric / theirs for metric in row.metrics()]
        if ratio is None:
            continue
        middle = mean(metrics)
        spread = [[middle - min(metrics)], [max(metrics) - middle]]
        axes.errorbar(
            1 / ratio, middle, yerr=spread, fmt="o", color=f"C{index}", capsize=3, label=row.name
        )


def _draw_published(axes: Axes, name: str) -> None:
    label: str | None = "published, over its own teacher"
    for index, point in enumerate(PUBLISHED):
        x = point.fewer if name == "macs" else point.smaller
        axes.plot(x, point.metric, "s", color=THEIRS, label=label)
        label = None
        _name(axes, point.name, (x, point.metric), index)


def _name(axes: Axes, text: str, point: tuple[float, float], index: int) -> None:
    """Write a name beside its point, on alternating sides, because some are close together."""
    offset, side = (((5, -11), "left"), ((-6, -3), "right"), ((5, 5), "left"))[index % 3]
    axes.annotate(
        text, point, xytext=offset, textcoords="offset points", ha=side, fontsize=8, color=THEIRS
    )
