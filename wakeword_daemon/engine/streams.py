"""One stream through the front end and the networks, by the step in C or by that in numpy.

Both take the same networks and give the same probabilities to 1e-5. C's is there where the package
was built with a compiler; numpy's runs everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, Self

from wakeword_daemon.engine.native import can_run, native_step, pack
from wakeword_daemon.engine.numpy_stream import NumpyStream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakeword_daemon.engine.arrays import Array
    from wakeword_daemon.engine.crnn import CRNN
    from wakeword_daemon.pcm import Pcm

Made = list[tuple[int, int, list[float]]]
"""The steps that were made: for each the frame that completed it, counted from the stream's
beginning, the energy of the samples that it added, which is the sum of their squares, and the
probability of each word, in the order of the networks."""


class Stream(Protocol):
    """One stream of audio, running. It is one thread's at a time."""

    def hear(self, pcm: Pcm) -> Made:
        """Hear contiguous int16 samples [samples] and make the steps that they complete.

        Raises:
            TypeError, ValueError, BufferError: they are something else.

        """
        ...

    def hear_frames(self, frames: Array) -> Made:
        """Hear contiguous log-mel frames [F, mels] in the place of samples; their energy is 0."""
        ...

    def reset(self) -> None:
        """Forget everything."""
        ...

    def fresh(self) -> Self:
        """Return another stream through the same networks, which has heard nothing."""
        ...


def new_stream(networks: Sequence[CRNN]) -> Stream:
    """Return a stream that has heard nothing, through networks of the same features and steps."""
    if can_run(networks):
        stream: Stream = native_step().Stream(pack(networks))
        return stream
    return NumpyStream(networks)


def running_step() -> Literal["C", "numpy"]:
    """Return which step runs on this machine: "C" or "numpy"."""
    return "numpy" if native_step() is None else "C"
