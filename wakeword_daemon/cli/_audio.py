"""The audio that a command reads: recordings, or standard input."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from wakeword_daemon.audio import files
from wakeword_daemon.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

FORMATS = (
    "WAV, FLAC, OGG or MP3 of any rate, .raw (s16le, 16 kHz, mono), or - for the same on stdin"
)


def blocks(name: str) -> Iterator[NDArray[np.int16]]:
    """Return an iterator over 16 kHz mono samples, int16[n]: of a file, or of stdin for `-`.

    Raises:
        AudioError: there is no such file, it is not a recording, or there is no sound on stdin.

    """
    if name != "-":
        return files.blocks(name)
    if sys.stdin is None:
        raise AudioError("standard input is closed; s16le at 16 kHz, mono, is expected on it")
    return files.live_blocks(sys.stdin.buffer)
