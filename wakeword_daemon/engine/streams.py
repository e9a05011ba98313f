"""One stream through the front end and the networks, by the step in C or by that in numpy.

Both take the same arrays and give the same scores to 1e-5. C's is there where the package was built
with a compiler; numpy's runs everywhere.
"""

from __future__ import annotations

import copy
import logging
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

import numpy as np

from wakeword_daemon.engine.logmel import LogMel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakeword_daemon.engine.crnn import CRNN
    from wakeword_daemon.pcm import Pcm

logger = logging.getLogger(__name__)

INTERFACE = 1
"""Of the step in C that this module can call, as in _step.c."""
LANES = 4
"""Frames that the step in C transforms side by side, as there."""
PIECE = 10_240
"""Samples that the step in C hears at once; its memory is fixed."""


class Stream(Protocol):
    """One stream of audio, running."""

    def hear(self, pcm: Pcm) -> list[tuple[int, list[float]]]:
        """Hear contiguous int16 samples [samples] and make the steps that they complete.

        Returns:
            for each step the frame that completed it, counted from the stream's beginning, and the
            probability of each word, in the order of the networks.

        """
        ...

    def reset(self) -> None:
        """Forget everything."""
        ...

    def fresh(self) -> Self:
        """Return another stream through the same networks, which has heard nothing."""
        ...


class NumpyStream:
    """The step in numpy."""

    def __init__(self, networks: Sequence[CRNN]) -> None:
        self._front = LogMel(networks[0].features)
        self._networks = networks
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._tail = self._front.initial_state()
        self._states = [network.initial_state() for network in self._networks]
        self._frames = 0

    def fresh(self) -> Self:
        """Return another stream through the same networks, which has heard nothing."""
        return type(self)(self._networks)

    def hear(self, pcm: Pcm) -> list[tuple[int, list[float]]]:
        """Make the steps that samples complete; see `Stream`."""
        frames = self._front.advance(self._tail, pcm[None])
        completing = range(0)
        rows = []
        for network, state in zip(self._networks, self._states, strict=True):
            values, completing = network.steps(state, frames)
            rows.append(values[0])
        made = [self._frames + frame for frame in completing]
        self._frames += frames.shape[1]
        return list(zip(made, np.concatenate(rows).T.tolist(), strict=True))


class NativeStream:
    """The step in C: its arrays, made once."""

    def __init__(self, networks: Sequence[CRNN]) -> None:
        step = native_step()
        self._log_mel, self._steps = step.log_mel, step.steps
        self._features = networks[0].features
        self._kernel = networks[0].architecture.kernel_frames
        self._stride = networks[0].architecture.stride_frames
        self._tables = LogMel(self._features).packed()
        self._packed = [network.packed() for network in networks]
        self._begin()

    def _begin(self) -> None:
        """Make what belongs to one stream: what it heard, and the room that a step works in."""
        window, mels = self._features.window, self._features.mels
        self._held = np.zeros(1, np.int32)
        room = np.zeros((3 * window + 1) * LANES, np.float32)
        self._front = (*self._tables, room, np.zeros(window, np.int16), self._held)
        most = PIECE // self._features.hop + 2
        self._mel = np.zeros((most, mels), np.float32)
        self._networks = [
            (shape, weights, initial.copy(), np.zeros(2, np.int32), initial)
            for shape, weights, initial in self._packed
        ]
        self._values = [
            np.zeros((most // self._stride + 1, shape[0]), np.float32)
            for shape, _, _ in self._packed
        ]
        self._frames = 0

    def reset(self) -> None:
        """Forget everything."""
        self._held[:] = 0
        for _, _, state, counts, initial in self._networks:
            state[:] = initial
            counts[:] = 0
        self._frames = 0

    def fresh(self) -> Self:
        """Return another stream through the same networks, which has heard nothing."""
        other = copy.copy(self)
        other._begin()  # noqa: SLF001 - of this class
        return other

    def hear(self, pcm: Pcm) -> list[tuple[int, list[float]]]:
        """Make the steps that samples complete; see `Stream`."""
        if len(pcm) > PIECE:
            pieces = (pcm[start : start + PIECE] for start in range(0, len(pcm), PIECE))
            return [step for piece in pieces for step in self.hear(piece)]
        count = self._log_mel(*self._front, pcm, self._mel) if len(pcm) else 0
        if not count:
            return []
        frames = self._mel[:count]
        made = 0
        for (shape, weights, state, counts, _), values in zip(
            self._networks, self._values, strict=True
        ):
            made = self._steps(shape, weights, state, counts, frames, values)
        before, self._frames = self._frames, self._frames + count
        if not made:
            return []
        rows = self._values[0][:made].tolist()
        for values in self._values[1:]:
            rows = [row + more for row, more in zip(rows, values[:made].tolist(), strict=True)]
        first = max(0, -(-(before - self._kernel + 1) // self._stride))
        ends = range(first * self._stride + self._kernel - 1, self._frames, self._stride)
        return list(zip(ends, rows, strict=True))


@cache
def native_step() -> Any:  # noqa: ANN401 - a module in C, or nothing
    """Return the step in C, or None; say once in the log if it is there and cannot be used."""
    try:
        from wakeword_daemon.engine import _step  # type: ignore[attr-defined] # noqa: PLC0415
    except ModuleNotFoundError:
        return None
    except ImportError as error:
        # A file from another machine; "cannot import name" is how a missing one is told.
        if "cannot import name" not in str(error):
            logger.warning("the step in C cannot be loaded, numpy takes over: %s", error)
        return None
    found = getattr(_step, "INTERFACE", None)
    if found != INTERFACE:
        logger.warning(
            "the step in C is of version %s, not %s, and numpy takes over; install the package "
            "again to build it",
            found,
            INTERFACE,
        )
        return None
    return _step


def running_step() -> Literal["C", "numpy"]:
    """Return which step runs on this machine: "C" or "numpy"."""
    return "numpy" if native_step() is None else "C"


def new_stream(networks: Sequence[CRNN]) -> Stream:
    """Return a stream that has heard nothing, through networks of the same features and stride."""
    usable = native_step() is not None and networks[0].features.window % 2 == 0
    return (NativeStream if usable else NumpyStream)(networks)
