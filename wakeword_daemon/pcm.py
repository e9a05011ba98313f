"""The form of all audio after the capture thread."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Pcm = npt.NDArray[np.int16]
"""Samples at 16 kHz, mono; the full scale of int16."""
