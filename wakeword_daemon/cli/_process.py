"""What must be settled for the process before numpy, torch or asyncio are imported."""

from __future__ import annotations

import os
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""From <malloc.h>."""

_LARGE = 64 * 1024
"""Bytes of an allocation that is given back at once; no hop needs one, a reload many."""


def prepare(command: str | None) -> None:
    """Set the process up for a command."""
    # Steps of 80 ms and takes of a second are too small for a pool of threads, and the pools of two
    # processes keep each other waiting.
    for pool in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(pool, "1")
    if command in {"run", "serve"}:
        # OpenSSL takes 5 MB of a process that stays. asyncio and hashlib load it where they can,
        # and do well without.
        for module in ("ssl", "_hashlib"):
            sys.modules[module] = None  # type: ignore[assignment]


def keep_the_heap_small() -> None:
    """Let the few threads allocate from one heap, and what is large outside of it.

    glibc would give each thread its own, and leave holes in it where a reload frees a model.
    """
    import contextlib  # noqa: PLC0415 -- for processes that stay
    import ctypes  # noqa: PLC0415

    with contextlib.suppress(AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_TRIM_THRESHOLD, _LARGE)
