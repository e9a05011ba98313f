"""One open microphone, polled for blocks of 80 ms."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wakeword_daemon.audio.devices import portaudio
from wakeword_daemon.audio.resample import Resampler
from wakeword_daemon.audio.timekeeper import now
from wakeword_daemon.clock import HOP, SAMPLE_RATE, seconds
from wakeword_daemon.errors import AudioError

if TYPE_CHECKING:
    from wakeword_daemon.audio.devices import InputDevice
    from wakeword_daemon.audio.sources import CaptureSettings

_BUFFER = 0.24
"""Seconds the device is asked to buffer; with more, PipeWire delivers two blocks at a time."""

_CREEP = 3e-4
"""Seconds by which each block is looked for earlier than the last, to find out when it is due."""

_RETRY = 4e-3
"""Least time, in seconds, before looking again for a block that was not complete."""

_VIRTUAL = 16
"""Only sound servers claim more input channels than this, and they mix down by themselves."""

_INVALID_RATE = -9997
"""PortAudio's paInvalidSampleRate."""


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """80 ms of a microphone.

    `pcm` is int16[n] at 16 kHz mono, about 1,280 samples; `captured` the time, by
    `timekeeper.now`, at which the 80 ms were over; and `dropped` tells that the sound system
    dropped audio before.
    """

    pcm: NDArray[np.int16]
    captured: float
    dropped: bool


class InputStream:
    """A stream from a device, open from the beginning until `close`.

    Raises AudioError where the device has no such channel or rate. This and every method raises
    PortAudioError where the device is gone.

    Attributes:
        name: the device's.
        rate: what the device runs at, in Hz.

    """

    def __init__(self, device: InputDevice, settings: CaptureSettings) -> None:
        if settings.channel == "mix":
            channels = device.channels if device.channels <= _VIRTUAL else 1
        elif settings.channel <= device.channels:
            channels = settings.channel
        else:
            raise AudioError(
                f"{device.name} has {device.channels} channels, so none is number "
                f'{settings.channel}; choose another, or "mix".'
            )
        self.name = device.name
        self.rate, self._stream = _open(device, channels, settings.rate)
        self._resampler = Resampler(self.rate, channels, settings.channel)
        self._size = HOP * self.rate // SAMPLE_RATE
        self._wake = now()

    @property
    def trail(self) -> int:
        """Samples, at 16 kHz, that were recorded and are still to come."""
        return self._resampler.trail

    def poll(self) -> Recorded | None:
        """Sleep until a block should be complete, and return it, or None if it is not.

        One block costs one wake-up: each is expected 80 ms after the last, less a little, so
        that the time of looking creeps up to the time at which blocks are delivered.
        """
        time.sleep(max(self._wake - now(), 0))
        waiting = self._stream.read_available
        time_ = now()
        rest = waiting - self._size
        if rest < 0:
            self._wake = time_ + max(-rest / self.rate / 2, _RETRY)
            return None
        data, dropped = self._stream.read(self._size)
        self._wake = time_ if rest >= self._size else self._wake + seconds(HOP) - _CREEP
        pcm = self._resampler.push(np.frombuffer(data, np.int16))
        return Recorded(pcm, time_ - rest / self.rate, dropped)

    def close(self) -> None:
        """Let the device go, whatever state it is in; hangs where the library hangs."""
        self._stream.abort()
        self._stream.close()


def _open(device: InputDevice, channels: int, rate: int | None) -> tuple[int, Any]:
    """Return the first rate that the device accepts, and the stream, started."""
    sounddevice = portaudio()
    rates = [rate] if rate else [SAMPLE_RATE, device.default_rate]
    for wanted in rates:
        try:
            stream = sounddevice.RawInputStream(
                samplerate=wanted,
                blocksize=HOP * wanted // SAMPLE_RATE,
                device=device.index,
                channels=channels,
                dtype="int16",
                latency=_BUFFER,
            )
        except sounddevice.PortAudioError as error:
            if error.args[1:2] != (_INVALID_RATE,):
                raise
            continue
        try:
            stream.start()
        except sounddevice.PortAudioError:
            stream.close()
            raise
        return wanted, stream
    raise AudioError(f"{device.name} does not run at {' or '.join(map(str, rates))} Hz.")
