"""The cache of training: arrays that are computed once and kept on disk.

An entry is a folder whose name depends on everything that its arrays depend on. It is created
atomically, so several processes may compute the same entry at once, and an interrupted one leaves
no partial entry.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wakeword_daemon.storage import atomic_folder

Arrays = Mapping[str, npt.NDArray[Any]]


def cached(
    cache: Path, title: str, key: str, compute: Callable[[], Arrays]
) -> dict[str, npt.NDArray[Any]]:
    """Return arrays from the cache; if they are missing, compute and store them first.

    Args:
        cache: the cache's folder.
        title: what the arrays are; the entry's name begins with it.
        key: changes with everything that the arrays depend on, see `digest` and `digest_of_files`.
        compute: makes the arrays, by name.

    Returns:
        the arrays by name, read-only and mapped into memory.

    Raises:
        OSError: the cache cannot be written to.

    """
    entry = cache / f"{title}-{key}"
    if not entry.exists():
        arrays = compute()
        with atomic_folder(entry) as folder:
            for name, array in arrays.items():
                np.save(folder / f"{name}.npy", array)
    return {
        file.stem: np.asarray(np.load(file, mmap_mode="r")) for file in sorted(entry.glob("*.npy"))
    }


def digest(lines: Iterable[str]) -> str:
    """Return a digest of these lines, 16 hexadecimal digits."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def digest_of_files(paths: Sequence[Path], settings: str) -> str:
    """Return a digest of recordings and settings; it changes when any of them changes.

    Args:
        paths: the recordings. Their path, size and time of the last change count.
        settings: whatever else the result depends on, as text.

    """
    status = [(path, path.stat()) for path in paths]
    return digest([settings, *(f"{path}\0{s.st_size}\0{s.st_mtime_ns}" for path, s in status)])
