"""Types and constants that the parts of the network share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping

Array = npt.NDArray[np.float32]

# As arrays, because numpy would convert Python's numbers at every use.
ONE = np.array(1.0, np.float32)
HALF = np.array(0.5, np.float32)


def with_bias(stack: Mapping[str, Array], weight: str, bias: str) -> Array:
    """Return the stacked matrices `weight` [words, outputs, inputs], with `bias` as last column."""
    return np.concatenate([stack[weight], stack[bias][..., None]], axis=2)
