"""A run's folder and its output: what makes them unusable is said before training starts."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wakeword_daemon.errors import TrainingError
from wakeword_daemon.training.fit.distributed import Processes

LOCK = "lock"
"""The file that whoever works in a folder holds locked; it stays there, locked or not."""


@contextmanager
def held(folder: Path, processes: Processes) -> Iterator[None]:
    """Work in a folder that no other run may work in until this one is done.

    The first of several processes holds it for all. The lock goes with the process, however that
    ends.

    Raises:
        TrainingError: another run holds the folder, or it cannot be written to.

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
                f"another run is at work in {folder}; wait for it, or give another folder"
            ) from None
        yield


def check_output(file: Path, suffix: str) -> None:
    """Refuse a file that could not be written at the end.

    Args:
        file: where the result will go.
        suffix: how its name must end, as other files will be written beside it.

    Raises:
        TrainingError: it is a folder, has another suffix, or lies where nothing can be written.

    """
    if file.is_dir():
        raise TrainingError(f"{file} is a folder; name a file in it, ending in {suffix}")
    if file.suffix != suffix:
        raise TrainingError(f"the output's name must end in {suffix}, unlike {file}")
    check_folder(file.parent)


def check_folder(folder: Path) -> None:
    """Refuse a folder in which nothing can be written; a missing one will be made.

    Raises:
        TrainingError: it is unusable; the message says why.

    """
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    if not place.is_dir():
        raise TrainingError(f"{place} is not a folder")
    if not os.access(place, os.W_OK | os.X_OK):
        raise TrainingError(f"nothing can be written in {place}")
