"""A microphone whose clock is the test's own: the real capture and engine run on it at once.

Time passes only while the capture sleeps, so another program on the machine can delay nothing, and
two runs over the same recording can be compared sample by sample.
"""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

from wakeword_daemon.audio import capture, devices, sources, stream, timekeeper
from wakeword_daemon.clock import SAMPLE_RATE

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
        library = SimpleNamespace(
            RawInputStream=lambda **_: self,
            PortAudioError=devices.AudioError,
            _check=None,
            _ffi=SimpleNamespace(from_buffer=lambda buffer: buffer),
            _lib=self,
        )
        monkeypatch.setattr(devices, "require_portaudio", lambda: None)
        for module in (devices, stream):
            monkeypatch.setattr(module, "portaudio", lambda: library)
        monkeypatch.setattr(devices, "set_periods", lambda _: None)
        microphone = devices.InputDevice(0, "virtual", "test", 1, SAMPLE_RATE, True)
        monkeypatch.setattr(devices, "find", lambda _: microphone)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds
        self.polls += 1

    # What sounddevice's stream has, and what PortAudio has

    _ptr = None

    def start(self) -> None:
        pass

    def abort(self) -> None:
        pass

    def close(self) -> None:
        pass

    def Pa_GetStreamReadAvailable(self, _: None) -> int:  # noqa: N802
        recorded = int((self.now - START) * SAMPLE_RATE)
        delivered = self._first + (recorded - self._first) // self._delivery * self._delivery
        if delivered >= len(self._pcm):
            self.gone.set()
            raise devices.AudioError("the recording is over")
        return max(delivered - self._read, 0)

    def Pa_ReadStream(self, _: None, buffer: NDArray[np.int16], count: int) -> int:  # noqa: N802
        buffer[:count] = self._pcm[self._read : self._read + count]
        self._read += count
        return 0
