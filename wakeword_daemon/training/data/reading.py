"""Reads many recordings; those that cannot be read are left out, and named in the log."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from wakeword_daemon.audio import files
from wakeword_daemon.errors import AudioError, TrainingError
from wakeword_daemon.pcm import Pcm
from wakeword_daemon.training.data.progress import track

logger = logging.getLogger(__name__)

SECONDS = 0.004
"""What reading one costs, for plans."""
MOST_UNREADABLE = 0.05
"""Share of unreadable recordings above which training is refused."""


def readable(
    paths: Sequence[Path], unreadable: list[str], *, title: str = "reading recordings"
) -> Iterator[tuple[int, Pcm]]:
    """Yield the number and the samples of every recording that can be read.

    Args:
        paths: the recordings.
        unreadable: a sentence is added here for each recording that cannot be read.
        title: of the progress bar, which is shown where this takes longer than a second.

    """
    shown = track(paths, len(paths), title or "reading", "file", SECONDS)
    for number, path in enumerate(shown):
        try:
            pcm = files.read(path)
        except AudioError as error:
            unreadable.append(str(error))
            continue
        yield number, pcm


def warn_of(unreadable: Sequence[str]) -> None:
    """Log the recordings that were left out."""
    for reason in unreadable:
        logger.warning("left out: %s", reason)


def refuse_many(unreadable: Sequence[str], count: int) -> None:
    """Log the recordings of `count` that were left out, and fail if there are many.

    Raises:
        TrainingError: more than one in twenty cannot be read.

    """
    warn_of(unreadable)
    if len(unreadable) > MOST_UNREADABLE * count:
        raise TrainingError(
            f"{len(unreadable)} of {count} recordings are unreadable; the first: {unreadable[0]}"
        )
