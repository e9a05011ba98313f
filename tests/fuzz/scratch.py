"""A file in memory that holds an input, for what reads files."""

import os
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")  # noqa: S108 -- a file there costs no disk


def folder():
    """Return a new folder, in memory where there is such a place."""
    return tempfile.TemporaryDirectory(dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None)
