"""Settings of the process that must be made before numpy, torch or asyncio are imported."""

from __future__ import annotations

import os
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""From <malloc.h>."""

_LARGE = 64 * 1024
"""Bytes from which freed memory is returned at once; reloads free such blocks, hops do not."""


def prepare(command: str | None) -> None:
    """Prepare the process for a command."""
    # Steps of 80 ms and takes of a second are too small for a pool of threads, and the pools of two
    # processes slow each other down.
    for pool in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(pool, "1")
    if command in {"run", "serve"}:
        # OpenSSL would take 5 MB in a process that runs for long. asyncio and hashlib load it if
        # they can, and do not need it.
        for module in ("ssl", "_hashlib"):
            sys.modules[module] = None  # type: ignore[assignment]


def keep_the_heap_small() -> None:
    """Make all threads allocate from one heap, and large blocks outside of it.

    Otherwise glibc gives each thread its own heap, with holes where a reload frees a model.
    """
    import contextlib  # noqa: PLC0415 -- for processes that stay
    import ctypes  # noqa: PLC0415

    with contextlib.suppress(AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_TRIM_THRESHOLD, _LARGE)


def keep_garbage_short() -> None:
    """Let the garbage collector skip what is loaded, and look through all the rest often.

    To be called once everything that stays is there.
    """
    import gc  # noqa: PLC0415 -- for processes that stay

    gc.collect()
    gc.freeze()
    # A full collection waits until a quarter of what the last one left is new. Counted from what
    # was loaded, that is an hour of connections, each of which leaves a cycle in asyncio.
    gc.collect()
    # Little is left to look through, so that garbage need not wait for ten of the smaller ones.
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, 1)
