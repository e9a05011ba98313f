"""The manifest of a folder of recordings: reading it, and adding rows."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from wakeword_daemon.errors import TrainingError
from wakeword_daemon.storage import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

NAME = "manifest.csv"
COLUMNS = ("path", "word", "speaker", "split", "seconds", "source")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One recording.

    Attributes:
        path: relative to the folder.
        word: what is said in it, "" for other speech.
        speaker: who says it, "" if unknown.
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
    path = folder / NAME
    return [row for _, row in read(path)[1]] if path.exists() else []


def has_recording(folder: Path, row: Mapping[str, str]) -> bool:
    """Return whether the recording of a row is in the folder."""
    try:
        return (folder / row["path"]).is_file()
    except OSError:  # its name is too long, for example
        return False


def append(folder: Path, new: Iterable[Row]) -> list[Row]:
    """Add rows to the manifest of a folder, which is made if it is missing.

    Returns:
        the rows that were not there yet.

    Raises:
        TrainingError: the manifest cannot be read, or lacks a column.
        OSError: it cannot be written.

    """
    path = folder / NAME
    columns, there = read(path) if path.exists() else (COLUMNS, [])
    known = {row["path"] for _, row in there}
    added = [row for row in new if row.path not in known]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows([*(row for _, row in there), *map(asdict, added)])
    write_atomically(path, text.getvalue().encode())
    return added


def read(manifest: Path) -> tuple[Sequence[str], list[tuple[str, dict[str, str]]]]:
    """Read a manifest.

    Returns:
        its columns, and the rows, each with its file and line.

    Raises:
        TrainingError: it is not UTF-8, lacks a column, or has a line that is no row.

    """
    try:
        text = manifest.read_bytes().decode("utf-8-sig")  # some programs begin UTF-8 with a BOM
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise TrainingError(f"{manifest}, line {line}: not UTF-8; save the file as UTF-8") from None
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    found: list[tuple[str, dict[str, str]]] = []
    try:
        names = reader.fieldnames or ()
        absent = [c for c in COLUMNS if c not in names]
        if absent and len(names) == 1 and ";" in names[0]:
            raise TrainingError(f"{manifest} is separated by semicolons; save it with commas")
        if absent:
            raise TrainingError(f"{manifest} lacks the column {', '.join(absent)}")
        for row in reader:
            where = f"{manifest}, line {reader.line_num}"
            if None in row or None in row.values():
                raise TrainingError(f"{where}: not as many fields as there are columns")
            if any("\r" in field or "\n" in field for field in row.values()):
                raise TrainingError(f"{where}: a field has a line break in it")
            found.append((where, row))
    except csv.Error as error:
        raise TrainingError(f"{manifest}, line {reader.line_num}: {error}") from None
    return names, found
