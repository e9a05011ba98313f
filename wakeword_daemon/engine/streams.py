"""Runs a stream of audio through the front end and the networks, with the step in C or in numpy.

Both give the same probabilities to 1e-5. The step in C is available if the package was built with a
compiler; the step in numpy runs everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, Self

from wakeword_daemon.engine.native import can_run, native_step
from wakeword_daemon.engine.plan import pack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakeword_daemon.engine.crnn import CRNN
    from wakeword_daemon.engine.weights import Weight
    from wakeword_daemon.pcm import Samples

Made = list[tuple[int, int, list[float]]]
"""Steps of the networks, each with three values.

The frame that completed it, counted from the start of the stream; the energy of the samples that it
added, which is the sum of their squares; and the probabilities of the words.
"""


class Stream(Protocol):
    """A running stream of audio. Only one thread at a time may use it."""

    def hear(self, pcm: Samples) -> Made:
        """Process contiguous int16 samples [samples]; return the steps that they complete.

        Raises:
            TypeError: the samples are not int16, or not one-dimensional.
            ValueError: they are not contiguous.
            BufferError: their memory cannot be read.

        """
        ...

    def hear_frames(self, frames: Weight) -> Made:
        """Process contiguous log-mel frames [F, mels] instead of samples; their energy is 0.

        Samples before them that have not yet made a frame are dropped.
        """
        ...

    def reset(self) -> None:
        """Forget everything."""
        ...

    def fresh(self) -> Self:
        """Return a new stream through the same networks."""
        ...


def new_stream(networks: Sequence[CRNN]) -> Stream:
    """Return a new stream through networks of the same features and steps."""
    if can_run(networks):
        step = native_step()
        stream: Stream = step.Stream(pack(networks, halves=step.HALVES))
        return stream
    from wakeword_daemon.engine.numpy_stream import NumpyStream  # noqa: PLC0415 -- most need none

    return NumpyStream(networks)


def running_step() -> Literal["C", "numpy"]:
    """Return which implementation of the step runs on this machine."""
    return "numpy" if native_step() is None else "C"
