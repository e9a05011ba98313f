"""Recordings of people that `torchaudio.datasets` fetches and reads, to train against."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError

from torchaudio import datasets

from wakeword_daemon.errors import TrainingError
from wakeword_daemon.training.data.corpus import Recording, Split

FOLDER = "downloads"
"""The folder in the cache that they are kept in."""
LIBRISPEECH, COMMANDS = "dev-clean", "speech_commands_v0.02"
"""The subsets to fetch, by their names in torchaudio."""
JUDGING = 5
"""Every fifth speaker of LibriSpeech is for measuring; Speech Commands has its own lists."""
MOST = {"train": 6000, "val": 1500}
"""Recordings of Speech Commands that are used, drawn from its 105,829."""


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection that can be fetched.

    Attributes:
        title: its name for people, and what it holds.
        licence: under which it may be used.
        megabytes: how much is fetched.
        fetch: fetches it into a folder, with a progress bar.
        read: lists its recordings, from the folder.
        there: where in the folder it is, once it was fetched.

    """

    title: str
    licence: str
    megabytes: int
    fetch: Callable[[Path], object]
    read: Callable[[Path], list[Recording]]
    there: str


def _librispeech(folder: Path, *, download: bool = False) -> datasets.LIBRISPEECH:
    return datasets.LIBRISPEECH(folder, url=LIBRISPEECH, download=download)


def _read_librispeech(folder: Path) -> list[Recording]:
    data = _librispeech(folder)
    rows = [data.get_metadata(n) for n in range(len(data))]
    speakers = sorted({speaker for _, _, _, speaker, *_ in rows})
    judging = set(speakers[JUDGING - 1 :: JUDGING])
    source = f"librispeech-{LIBRISPEECH}"
    return [
        Recording(
            path=folder / "LibriSpeech" / path,
            word="",
            speaker=f"{source}/{speaker}",
            split="val" if speaker in judging else "train",
            source=source,
            noise=False,
        )
        for path, _, _, speaker, *_ in rows
    ]


def _commands(folder: Path, *, download: bool = False, subset: str | None = None) -> Any:  # noqa: ANN401 - torchaudio has no types
    return datasets.SPEECHCOMMANDS(folder, url=COMMANDS, download=download, subset=subset)


def _read_commands(folder: Path) -> list[Recording]:
    found: list[Recording] = []
    subsets: tuple[tuple[Split, tuple[str, ...]], ...] = (
        ("train", ("training",)),
        ("val", ("validation", "testing")),
    )
    for split, names in subsets:
        lists = [_commands(folder, subset=name) for name in names]
        rows = [data.get_metadata(n) for data in lists for n in range(len(data))]
        random.Random(0).shuffle(rows)  # noqa: S311 - a draw, not a secret
        found += [
            Recording(
                path=folder / "SpeechCommands" / path,
                word=label,
                speaker=f"{COMMANDS}/{speaker}",
                split=split,
                source=COMMANDS,
                noise=False,
            )
            for path, _, label, speaker, _ in rows[: MOST[split]]
        ]
    return found


COLLECTIONS = {
    "librispeech": Collection(
        "LibriSpeech dev-clean, 5.4 h of people who read aloud",
        "CC BY 4.0",
        338,
        lambda folder: _librispeech(folder, download=True),
        _read_librispeech,
        f"LibriSpeech/{LIBRISPEECH}",
    ),
    "speech-commands": Collection(
        "Speech Commands 0.02, 105,829 takes of 35 words by 2,618 people",
        "CC BY 4.0",
        2429,
        lambda folder: _commands(folder, download=True),
        _read_commands,
        f"SpeechCommands/{COMMANDS}",
    ),
}
"""By the name that `wakeword background --download` takes."""


def fetch(name: str, cache: Path) -> None:
    """Fetch a collection, unless it is there.

    Raises:
        TrainingError: it could not be fetched; the next time, an unfinished download starts again.

    """
    folder = cache / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    try:
        COLLECTIONS[name].fetch(folder)
    except (URLError, OSError, RuntimeError) as error:
        reason = getattr(error, "reason", error)
        raise TrainingError(f"{name} could not be fetched: {reason}") from error


def fetched(cache: Path) -> list[Recording]:
    """Return the recordings of all collections that were fetched."""
    folder = cache / FOLDER
    return [
        recording
        for collection in COLLECTIONS.values()
        if (folder / collection.there).is_dir()
        for recording in collection.read(folder)
    ]
