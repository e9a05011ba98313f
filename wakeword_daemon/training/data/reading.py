"""Reading many recordings: those that cannot be read are set aside, and named."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from wakeword_daemon.audio import files
from wakeword_daemon.errors import AudioError, TrainingError
from wakeword_daemon.pcm import Pcm

logger = logging.getLogger(__name__)

MOST_UNREADABLE = 0.05
"""Share of the recordings above which something is wrong with all of them."""


def readable(
    paths: Sequence[Path], unreadable: list[str], *, title: str = ""
) -> Iterator[tuple[int, Pcm]]:
    """Yield the number and the samples of every recording that can be read.

    Args:
        paths: the recordings.
        unreadable: gets a sentence for each of the others.
        title: what a terminal shows the progress under; nothing is shown without one.

    """
    shown = tqdm(paths, desc=title, unit="file", disable=None if title else True)
    for number, path in enumerate(shown):
        try:
            pcm = files.read(path)
        except AudioError as error:
            unreadable.append(str(error))
            continue
        yield number, pcm


def warn_of(unreadable: Sequence[str]) -> None:
    """Name in the log what was set aside."""
    for reason in unreadable:
        logger.warning("set aside: %s", reason)


def refuse_many(unreadable: Sequence[str], count: int) -> None:
    """Name what was set aside of `count` recordings.

    Raises:
        TrainingError: it is more than one in twenty.

    """
    warn_of(unreadable)
    if len(unreadable) > MOST_UNREADABLE * count:
        raise TrainingError(
            f"{len(unreadable)} of {count} recordings are unreadable; the first: {unreadable[0]}"
        )
