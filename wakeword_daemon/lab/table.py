"""The laboratory's table, with a row for each recipe, as Markdown and as data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from wakeword_daemon.lab.macs import SECONDS
from wakeword_daemon.storage import write_atomically

MARKDOWN, DATA = "table.md", "table.json"
TEACHER = "teacher"
"""The recipe that all others are compared with."""
SHOWN = ("0.5", "2")
"""False accepts an hour for which the table shows the miss rate."""


@dataclass(frozen=True)
class TableRow:
    """One recipe, with all its runs.

    Attributes:
        name: name of the recipe.
        runs: results of its runs, see `Laboratory.run`.
        teacher: results of the teacher's runs; empty if there are none to compare with.

    """

    name: str
    runs: Sequence[dict[str, Any]]
    teacher: Sequence[dict[str, Any]]

    @property
    def title(self) -> str:
        """The recipe's title."""
        return str(self.runs[0]["title"])

    def mean(self, figure: str) -> float:
        """Return the mean of a figure over the runs."""
        return float(mean(run[figure] for run in self.runs))

    def metrics(self) -> list[float]:
        """Return the clip metric of each run."""
        return [run["clip_metric"] for run in self.runs]

    def times_teacher(self, figure: str) -> float | None:
        """Return the mean of a figure divided by the teacher's; None without a teacher."""
        if not self.teacher:
            return None
        theirs = float(mean(run[figure] for run in self.teacher))
        return self.mean(figure) / theirs if theirs else None

    def missed(self, target: str) -> float | None:
        """Return the mean miss rate on streams; None if it was not measured."""
        if any("stream" not in run for run in self.runs):
            return None
        return float(mean(run["stream"]["miss_rate"][target] for run in self.runs))

    def plain(self) -> dict[str, Any]:
        """Return the row as plain data."""
        return {
            "recipe": self.name,
            "title": self.title,
            "clip_metric": mean(self.metrics()),
            "times_teacher": self.times_teacher("clip_metric"),
            "smaller": _inverse(self.times_teacher("file_bytes")),
            "smaller_weights": _inverse(self.times_teacher("weight_bytes")),
            "fewer_macs": _inverse(self.times_teacher("macs")),
            "runs": list(self.runs),
        }


def rows(results: Mapping[str, Sequence[dict[str, Any]]]) -> list[TableRow]:
    """Return the rows of finished recipes."""
    teacher = results.get(TEACHER, ())
    return [TableRow(name, runs, teacher) for name, runs in results.items() if runs]


def write(table: Sequence[TableRow], folder: Path) -> None:
    """Write the table into a folder, as Markdown and as data.

    Raises:
        OSError: the folder cannot be written to.

    """
    write_atomically(folder / MARKDOWN, markdown(table).encode())
    data = json.dumps([row.plain() for row in table], indent=1)
    write_atomically(folder / DATA, f"{data}\n".encode())


def markdown(table: Sequence[TableRow]) -> str:
    """Return the table, and the table of `chain.check_chain`, in Markdown."""
    head = (
        "| recipe | parameters | file bytes (weights) | times smaller "
        f"| MACs, {SECONDS} s | times fewer | engine, ms/s "
        "| clip metric (lowest to highest) | over the teacher's | "
        + " | ".join(f"missed at ≤ {target} FA/h" for target in SHOWN)
        + " | epochs | training |"
    )
    lines = [head, "|" + "---|" * head.count(" | ") + "---|"]
    lines += [_line(row) for row in table]
    chain = [
        "| run | compared with the offline network | largest difference | other decisions |",
        "|---|---|---|---|",
    ]
    chain += [
        f"| {row.name}-{run['seed']} | {link['name']} | {link['difference']:.1e} "
        f"| {link['decisions']} of {run['clips']} |"
        for row in table
        for run in row.runs
        for link in run["chain"]
    ]
    return "\n".join([*lines, "", *chain, ""])


def _line(row: TableRow) -> str:
    metrics = row.metrics()
    metric = f"{mean(metrics):.2e}"
    if len(metrics) > 1:
        metric += f" ({min(metrics):.1e} to {max(metrics):.1e}, {len(metrics)} seeds)"
    missed = ["" if (share := row.missed(target)) is None else f"{share:.1%}" for target in SHOWN]
    cells = [
        f"{row.name}: {row.title}",
        f"{row.mean('parameters'):,.0f}",
        f"{row.mean('file_bytes'):,.0f} ({row.mean('weight_bytes'):,.0f})",
        _times(_inverse(row.times_teacher("file_bytes")), 1),
        f"{row.mean('macs'):,.0f}",
        _times(_inverse(row.times_teacher("macs")), 1),
        f"{row.mean('cpu_ms'):.2f}",
        metric,
        _times(row.times_teacher("clip_metric"), 2),
        *missed,
        f"{row.mean('epochs'):.0f}",
        f"{row.mean('seconds'):.0f} s",
    ]
    return "| " + " | ".join(cells) + " |"


def _inverse(ratio: float | None) -> float | None:
    return 1 / ratio if ratio else None


def _times(ratio: float | None, digits: int) -> str:
    return "" if ratio is None else f"{ratio:.{digits}f}"
