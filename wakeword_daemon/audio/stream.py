"""One open microphone, polled for blocks of 80 ms."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from wakeword_daemon.audio.devices import portaudio
from wakeword_daemon.audio.resample import Resampler
from wakeword_daemon.audio.timekeeper import now
from wakeword_daemon.clock import HOP, SAMPLE_RATE, seconds
from wakeword_daemon.errors import AudioError
from wakeword_daemon.pcm import Pcm

if TYPE_CHECKING:
    from wakeword_daemon.audio.devices import InputDevice
    from wakeword_daemon.audio.sources import CaptureSettings

_BUFFER = 0.24
"""Seconds the device is asked to buffer; with more, PipeWire delivers two blocks at a time."""

_CREEP = 3e-4
"""Seconds by which each block is expected earlier than the last, to find out when it is due."""

_RETRY = 4e-3
"""Least time, in seconds, before looking again for a block that was not complete."""

_VIRTUAL = 16
"""Only sound servers claim more input channels than this, and they mix down by themselves."""

_INVALID_RATE = -9997
"""PortAudio's paInvalidSampleRate."""


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """80 ms of a microphone."""

    pcm: Pcm
    """int16[n] at 16 kHz mono; n is about 1,280."""
    captured: float
    """When the 80 ms were over, in seconds by `timekeeper.now`."""
    dropped: bool
    """Whether the sound system dropped audio before them."""


class InputStream:
    """A stream from a device, open from the beginning until `close`.

    Attributes:
        name: the device's name.
        rate: samples a second of the device.

    Raises:
        AudioError: the device has no such channel or rate.
        PortAudioError: the device is gone; every method may raise it.

    """

    def __init__(self, device: InputDevice, settings: CaptureSettings) -> None:
        if settings.channel == "mix":
            channels = device.channels if device.channels <= _VIRTUAL else 1
        elif settings.channel <= device.channels:
            channels = settings.channel
        else:
            raise AudioError(
                f"{device.name} has no channel {settings.channel}: there are {device.channels};"
                ' choose another, or "mix".'
            )
        self.name = device.name
        self.rate, self._stream = _open(device, channels, settings.rate)
        self._resampler = Resampler(self.rate, channels, settings.channel)
        self._size = HOP * self.rate // SAMPLE_RATE
        self._wake = now()

    @property
    def trail(self) -> int:
        """Samples (16 kHz) that were recorded and are still to come."""
        return self._resampler.trail

    def poll(self) -> Recorded | None:
        """Sleep until a block should be complete; return it, or None if it is not.

        One block costs one wake-up: each is expected a little less than 80 ms after the last, so
        that the wake-ups move slowly towards the moment at which blocks are delivered.
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
