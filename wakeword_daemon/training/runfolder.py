"""Checks of a run's folder and output, so that hours of training do not end in an error."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wakeword_daemon.errors import TrainingError
from wakeword_daemon.training.fit.distributed import Processes

METRICS = "metrics.jsonl"
"""The log of a run: one JSON object an epoch."""
LOCK = "lock"
"""The file that a run locks in its folder; it stays there when the run ends."""


@contextmanager
def held(folder: Path, processes: Processes) -> Iterator[None]:
    """Lock a folder for one run, until that is done or its process ends.

    Where several processes train together, the first one locks it for all.

    Raises:
        TrainingError: another run has locked the folder, or it cannot be written to.

    """
    if not processes.first:
        yield
        return
    check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TrainingError(
                f"another run is working in {folder}; wait for it, or choose another folder"
            ) from None
        yield


def epochs_done(folder: Path) -> int:
    """Return how many epochs a run has behind it, by its log."""
    log = folder / METRICS
    return len(log.read_text().splitlines()) if log.exists() else 0


def check_output(file: Path, suffix: str) -> None:
    """Refuse a file that could not be written at the end.

    Args:
        file: where the result will go.
        suffix: its suffix; other files will be written beside it.

    Raises:
        TrainingError: it is a folder, has another suffix, or is in a folder that cannot be written
            to.

    """
    if file.is_dir():
        raise TrainingError(f"{file} is a folder; name a file in it, ending in {suffix}")
    if file.suffix != suffix:
        raise TrainingError(f"the output's name must end in {suffix}, unlike {file}")
    check_folder(file.parent)


def check_folder(folder: Path) -> None:
    """Refuse a folder in which nothing can be written; a missing one will be made.

    Raises:
        TrainingError: it is not a folder, or cannot be written to.

    """
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    if not place.is_dir():
        raise TrainingError(f"{place} is not a folder")
    if not os.access(place, os.W_OK | os.X_OK):
        raise TrainingError(f"nothing can be written in {place}")
