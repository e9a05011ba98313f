"""The manifest of a folder of recordings, as training reads it: adding rows to it."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from wakeword_daemon.errors import TrainingError
from wakeword_daemon.storage import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

NAME = "manifest.csv"
COLUMNS = ("path", "word", "speaker", "split", "seconds", "source")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One recording.

    Attributes:
        path: relative to the folder.
        word: what is said in it, "" for other speech.
        speaker: who says it, "" where nobody knows.
        split: "train" or "val".
        seconds: its length.
        source: the collection that it belongs to.

    """

    path: str
    word: str
    speaker: str
    split: str = "train"
    seconds: float
    source: str


def rows(folder: Path) -> list[dict[str, str]]:
    """Return the rows of a folder's manifest; none where there is no manifest.

    Raises:
        TrainingError: the manifest cannot be read, or lacks a column.

    """
    return _read(folder)[1]


def append(folder: Path, new: Iterable[Row]) -> list[Row]:
    """Add rows to the manifest of a folder, which is made if it is missing.

    Returns:
        the rows that were not there yet.

    Raises:
        TrainingError: the manifest cannot be read, or lacks a column.
        OSError: it cannot be written.

    """
    columns, there = _read(folder)
    known = {row["path"] for row in there}
    added = [row for row in new if row.path not in known]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows([*there, *map(asdict, added)])
    write_atomically(folder / NAME, text.getvalue().encode())
    return added


def _read(folder: Path) -> tuple[Sequence[str], list[dict[str, str]]]:
    path = folder / NAME
    try:
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""))
    except FileNotFoundError:
        return COLUMNS, []
    except UnicodeDecodeError:
        raise TrainingError(f"{path} is not UTF-8") from None
    columns = reader.fieldnames or ()
    if missing := [name for name in COLUMNS if name not in columns]:
        raise TrainingError(f"{path} lacks the column {', '.join(missing)}")
    return columns, list(reader)
