"""What must be settled for the process before numpy, torch or asyncio are imported."""

from __future__ import annotations

import os
import sys


def prepare(command: str | None) -> None:
    """Set the process up for a command."""
    # Steps of 80 ms and takes of a second are too small for a pool of threads, and the pools of two
    # processes keep each other waiting.
    for pool in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(pool, "1")
    if command == "run":
        # OpenSSL takes 5 MB of a process that stays. asyncio and hashlib load it where they can,
        # and do well without.
        for module in ("ssl", "_hashlib"):
            sys.modules[module] = None  # type: ignore[assignment]
