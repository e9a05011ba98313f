"""How much memory this process uses."""

from __future__ import annotations

import os
from pathlib import Path

STATM = Path("/proc/self/statm")


def resident_bytes(statm: int | None = None) -> int:
    """Return the bytes of this process that are in RAM now, shared libraries included.

    Args:
        statm: a descriptor that this process has of `STATM`; None to open another for a moment.

    """
    text = STATM.read_bytes() if statm is None else os.pread(statm, 100, 0)
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")
