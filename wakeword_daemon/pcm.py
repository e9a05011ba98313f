"""The forms of all audio after the capture thread: samples at 16 kHz, mono; full scale of int16.

A daemon that hears a microphone needs no numpy, whose arrays take a quarter of its memory. So live
audio is in memoryviews. Recordings are in arrays, and whoever hears takes both.
"""

from __future__ import annotations

import sys
from array import array
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Pcm: TypeAlias = "npt.NDArray[np.int16]"
"""int16[n], an array of numpy."""

Samples: TypeAlias = "memoryview | npt.NDArray[np.int16]"
"""int16[n], an array or a memoryview of format "h"."""


def samples_of(data: bytes | bytearray | memoryview) -> memoryview:
    """Return a copy of little-endian samples, of two bytes each."""
    samples = array("h", bytes(data))
    if sys.byteorder == "big":
        samples.byteswap()
    return memoryview(samples)


def little_endian(pcm: Samples) -> bytes:
    """Return samples as little-endian bytes, of which each takes two."""
    data = pcm.tobytes()
    return data if sys.byteorder == "little" else samples_of(data).tobytes()
