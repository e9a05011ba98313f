"""What is in the cache of training, by name, and clearing it."""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

_NESTED = ("speech", "downloads")
"""Folders in which every folder is an entry of its own."""
_KEY = re.compile(r"-[0-9a-f]{8}([0-9a-f]{8})?(\.\w+)?$")
"""What `cached` and the folders of speech add to a name."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is kept under one name.

    Attributes:
        name: as in `variants` or `speech/kokoro-word-jarvis`.
        paths: the files and folders that have it, each for other settings or another version.
        bytes: their size on the disk.
        changed: when the newest of them was made, in Unix seconds.

    """

    name: str
    paths: tuple[Path, ...]
    bytes: int
    changed: float


def entries(cache: Path) -> list[Entry]:
    """Return what is in a cache, by name; nothing where there is no cache."""
    grouped: dict[str, list[Path]] = defaultdict(list)
    for path in _paths(cache):
        grouped[_KEY.sub("", path.relative_to(cache).as_posix())].append(path)
    return [
        Entry(
            name,
            tuple(paths),
            sum(_bytes(path) for path in paths),
            max(path.stat().st_mtime for path in paths),
        )
        for name, paths in sorted(grouped.items())
    ]


def matching(kept: Sequence[Entry], pattern: str) -> list[Entry]:
    """Return the entries whose name fits a shell pattern."""
    return [one for one in kept if fnmatchcase(one.name, pattern)]


def clear(entry: Entry) -> None:
    """Remove an entry."""
    for path in entry.paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _paths(cache: Path) -> list[Path]:
    if not cache.is_dir():
        return []
    return [
        inner
        for path in sorted(cache.iterdir())
        for inner in (sorted(path.iterdir()) if path.name in _NESTED else [path])
    ]


def _bytes(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
