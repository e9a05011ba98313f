"""What people say in recordings, written down: a CSV file with path, start, stop and text.

Paths are relative to the folder of the recordings. Start and stop are seconds; both are empty if a
text is of the whole recording. `transcribe` makes such a file.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from wakeword_daemon.errors import TrainingError

COLUMNS = ("path", "start", "stop", "text")


@dataclass(frozen=True, slots=True)
class Passage:
    """What is said in a part of a recording.

    Attributes:
        path: the recording.
        start, stop: seconds between which it is said; None for the whole recording.
        text: what is said.

    """

    path: Path
    start: float | None
    stop: float | None
    text: str


def read_transcripts(file: Path, folder: Path) -> list[Passage]:
    """Read what is said in the recordings of a folder.

    Raises:
        TrainingError: the file cannot be read, or is no such file.

    """
    try:
        with file.open(newline="") as lines:
            rows = csv.DictReader(lines)
            if tuple(rows.fieldnames or ()) != COLUMNS:
                raise TrainingError(f"{file} should have the columns {', '.join(COLUMNS)}")
            return [
                Passage(
                    folder / row["path"], _seconds(row["start"]), _seconds(row["stop"]), row["text"]
                )
                for row in rows
            ]
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise TrainingError(f"{file} cannot be read: {error}") from None


def _seconds(text: str) -> float | None:
    return float(text) if text else None
