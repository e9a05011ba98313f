"""A microphone whose clock is the test's own: the real capture and engine run on it at once.

Time passes only while the capture sleeps, so another program on the machine can delay nothing, and
two runs over the same recording can be compared sample by sample.
"""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

from wakeword_daemon.audio import capture, sources, stream, timekeeper
from wakeword_daemon.audio.stream import InputStream
from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.errors import AudioError

if TYPE_CHECKING:
    import numpy as np
    import pytest
    from numpy.typing import NDArray

START = 1_000.0
"""Seconds on the clock when the microphone is plugged in."""


class VirtualMicrophone:
    """Plays a recording once, and then is gone.

    Args:
        pcm: what it hears, int16[n] at 16 kHz.
        delivery: samples that the sound server delivers at a time.
        first: samples of the first delivery.

    Attributes:
        now: seconds on the clock of everything here.
        polls: how often the capture woke up to look for audio.
        gone: set when the recording is over.

    """

    def __init__(self, pcm: NDArray[np.int16], delivery: int, first: int) -> None:
        self._pcm = pcm
        self._delivery, self._first = delivery, first
        self._read = 0
        self.now = START
        self.polls = 0
        self.gone = threading.Event()

    def plug(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let everything that captures use this microphone and its clock."""
        clock = SimpleNamespace(
            sleep=self._sleep, time=lambda: self.now, monotonic=lambda: self.now
        )
        for module in (stream, capture, sources):
            monkeypatch.setattr(module, "time", clock)
        for module in (stream, capture, timekeeper):
            monkeypatch.setattr(module, "now", lambda: self.now)
        monkeypatch.setattr(capture, "require_library", lambda _: None)
        monkeypatch.setattr(capture, "open_microphone", lambda *_, **__: InputStream(self, 1))

    def _sleep(self, seconds: float) -> None:
        self.now += seconds
        self.polls += 1

    # What `InputStream` asks of it

    name, of_server, channels, rate = "virtual", False, 1, SAMPLE_RATE

    def waiting(self) -> int:
        recorded = int((self.now - START) * SAMPLE_RATE)
        delivered = self._first + (recorded - self._first) // self._delivery * self._delivery
        if delivered >= len(self._pcm):
            self.gone.set()
            raise AudioError("the recording is over")
        return max(delivered - self._read, 0)

    def read(self, count: int) -> tuple[NDArray[np.int16], bool]:
        self._read += count
        return self._pcm[self._read - count : self._read], False

    def close(self) -> None:
        pass
