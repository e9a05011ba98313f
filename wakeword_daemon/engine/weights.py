"""The numbers of a network: float32 arrays of anything that shares its memory, as numpy's do.

A model file gives memoryviews, because a daemon whose step is in C needs no numpy; training gives
arrays of numpy. `numpy.asarray` takes either without a copy.
"""

from __future__ import annotations

from array import array
from struct import pack, unpack
from typing import TYPE_CHECKING, TypeAlias

from wakeword_daemon.buffers import view

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

Weight: TypeAlias = "memoryview[float] | npt.NDArray[np.float32]"
Weights: TypeAlias = "Mapping[str, Weight]"


def shape_of(array: Weight | memoryview) -> tuple[int, ...]:
    """Return the shape of an array."""
    return view(array).shape or ()


def shaped(numbers: array[float], shape: tuple[int, ...]) -> memoryview[float]:
    """Return numbers as an array of a shape."""
    return memoryview(numbers).cast("B").cast("f", shape)


def numbers(weight: Weight) -> array[float]:
    """Return the numbers of a weight, row after row."""
    return array("f", view(weight).tobytes())


def halves(weight: Weight) -> array[int] | None:
    """Return the numbers of a weight as float16, of which Python has no array; or None.

    Returns:
        the bits of each, of type "H"; None if float16 does not hold all of them exactly.

    """
    found = numbers(weight)
    form = f"={len(found)}e"
    try:
        bits = pack(form, *found)
    except OverflowError:
        return None
    return array("H", bits) if array("f", unpack(form, bits)) == found else None
