"""A capture under test: what it recorded, what it said about itself, and when."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import numpy as np
from support.daemon import PATIENCE

from wakeword_daemon.audio import devices
from wakeword_daemon.audio.capture import Capture, CaptureSettings, CaptureState
from wakeword_daemon.audio.ring import RingBuffer
from wakeword_daemon.clock import SAMPLE_RATE, seconds

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from numpy.typing import NDArray


class Ear:
    """A running `Capture` as a context manager, with a ring of a minute.

    With `calm`, the room counts as calm, so the capture polls less often.

    The environment must be that of the sound server already: see `SoundServer.adopt`.
    """

    def __init__(
        self,
        device: str | int | None = None,
        channel: int = 1,
        rate: int | None = None,
        *,
        calm: bool = False,
    ) -> None:
        self.ring = RingBuffer(60)
        self.states: list[CaptureState] = []
        self._told = threading.Condition()
        self.writes: list[int] = []
        """The sample clock after each write."""
        self._calm = calm
        self._device = device
        settings = CaptureSettings(device, channel, rate)
        self.capture = Capture(settings, self.ring, self._hear, self._note)

    @property
    def names(self) -> list[str]:
        """The names of all states so far."""
        return [state.name for state in self.states]

    def wait_for(self, name: str) -> CaptureState:
        """Wait until the state is `name`, and return it."""
        with self._told:
            assert self._told.wait_for(
                lambda: self.states and self.states[-1].name == name, PATIENCE
            ), f"not {name} but {self.states}"
        return self.states[-1]

    def wait_until(self, true: Callable[[], object]) -> None:
        """Wait until a condition holds that no state shows."""
        end = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < end, f"waited in vain; {self.states} {self.capture.counters}"
            time.sleep(0.01)

    def wait_for_audio(self, duration: float = 0.2) -> None:
        """Wait until `duration` seconds more were heard."""
        goal = self.ring.heard + round(duration * SAMPLE_RATE)
        self.wait_until(lambda: self.ring.heard >= goal)

    def drift(self, begin: float) -> float:
        """Return by how much the sample clock is behind a clock started at `begin`, in seconds."""
        return time.monotonic() - begin - seconds(self.ring.clock)

    def find(self, sound: NDArray[np.int16], since: int = 0) -> tuple[int, float]:
        """Return the sample at which `sound` begins in the recording, and how much alike they are.

        The likeness is the normalised cross-correlation: 1 for the same sound at any level.
        """
        start, held = self.ring.copy(since, self.ring.clock)
        pcm = np.asarray(held)
        size = 1 << (len(pcm) + len(sound)).bit_length()
        spectrum = (
            np.fft.rfft(pcm.astype(float), size) * np.fft.rfft(sound.astype(float), size).conj()
        )
        at = int(np.argmax(np.fft.irfft(spectrum, size)[: max(len(pcm) - len(sound), 1)]))
        heard = pcm[at : at + len(sound)].astype(float)
        scale = np.linalg.norm(heard) * np.linalg.norm(sound.astype(float))
        return start + at, float(heard @ sound[: len(heard)] / scale) if scale else 0.0

    def __enter__(self) -> Self:
        if self._device is not None:
            # PortAudio has one state for the whole process, with the devices of an earlier test.
            devices.refresh()
        self.capture.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.capture.stop(PATIENCE)

    def _note(self, _: NDArray[np.int16]) -> bool:
        self.writes.append(self.ring.clock)
        return self._calm

    def _hear(self, state: CaptureState) -> None:
        with self._told:
            self.states.append(state)
            self._told.notify_all()
