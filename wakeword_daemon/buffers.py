"""Arrays that may be numpy's, for modules that do not load numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt


def view(array: memoryview[Any] | npt.NDArray[Any]) -> memoryview[Any]:
    """Return a memoryview of an array. Both share the same memory."""
    return memoryview(array)  # type: ignore[arg-type]  # numpy says so only from Python 3.12 on
