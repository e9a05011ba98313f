"""One open microphone, polled for blocks of 80 ms or several of them.

A poll follows a sleep, so it costs by the code and the memory that it touches. sounddevice's own
read makes a buffer each time and catches two exceptions inside; PortAudio's, into a buffer that
stays, takes half as long.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from wakeword_daemon.audio import devices
from wakeword_daemon.audio.devices import portaudio
from wakeword_daemon.audio.resample import MicrophoneResampler
from wakeword_daemon.audio.timekeeper import now
from wakeword_daemon.clock import HOP, SAMPLE_RATE, seconds
from wakeword_daemon.errors import AudioError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wakeword_daemon.audio.devices import InputDevice
    from wakeword_daemon.audio.sources import CaptureSettings
    from wakeword_daemon.pcm import Pcm

_PERIODS = 16
"""Half blocks that the device buffers, 0.64 s together, so that a longer sleep loses nothing.

Servers deliver two parts at a time, which is one block.
"""

_CREEP = 3e-4
"""Seconds by which each block is expected earlier than the last, to find out when it is due."""

_BLOCK = seconds(HOP)

_RETRY = 4e-3
_LONGEST_RETRY = 32e-3
"""Seconds before looking again for a block that was not complete; twice as long each time."""

_VIRTUAL = 16
"""Only sound servers have more input channels than this, and they mix down by themselves."""

_INVALID_RATE = -9997
_INPUT_OVERFLOWED = -9981
"""PortAudio's paInvalidSampleRate and paInputOverflowed."""


class Recorded(NamedTuple):
    """Blocks of 80 ms of a microphone."""

    pcm: Pcm
    """int16[n] at 16 kHz mono, until the next poll; n is about 1,280 a block."""
    duration: float
    """Seconds that were recorded."""
    captured: float
    """When they were over, in seconds by `timekeeper.now`."""
    dropped: bool
    """Whether the sound system dropped audio before it."""


class InputStream:
    """A stream from a device, open until `close`.

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
        self._channels = channels
        self._resampler = (
            None
            if self.rate == SAMPLE_RATE and channels == 1
            else MicrophoneResampler(self.rate, channels, settings.channel)
        )
        self._size = HOP * self.rate // SAMPLE_RATE
        sounddevice = portaudio()
        self._check = sounddevice._check  # noqa: SLF001 -- see above, as the next ones
        self._library, self._pointer = sounddevice._lib, self._stream._ptr  # noqa: SLF001
        self._most = _PERIODS // 2 * self._size
        self._buffer = np.empty(self._most * channels, np.int16)
        self._target = sounddevice._ffi.from_buffer(self._buffer)  # noqa: SLF001
        self._read = 0
        self._due = now()
        self._retry = _RETRY

    @property
    def trail(self) -> int:
        """Samples (16 kHz) that are recorded and not yet returned."""
        return 0 if self._resampler is None else self._resampler.trail

    @property
    def raw(self) -> NDArray[np.int16]:
        """The last blocks before they were converted, int16[m, channels], until the next poll."""
        return self._buffer[: self._read * self._channels].reshape(-1, self._channels)

    def poll(self, blocks: int = 1) -> Recorded | None:
        """Sleep until `blocks` blocks should be complete; return all that are complete, or None.

        One call costs one wake-up: each block is expected a little less than 80 ms after the last,
        so that the wake-ups move slowly towards the moment at which blocks are delivered.
        """
        due = self._due + (blocks - 1) * _BLOCK
        time.sleep(max(due - now(), 0))
        waiting = self._library.Pa_GetStreamReadAvailable(self._pointer)
        time_ = now()
        if waiting < 0:
            self._check(waiting)
        count = min(waiting, self._most) // self._size * self._size
        if not count:
            self._due = time_ + self._retry
            self._retry = min(2 * self._retry, _LONGEST_RETRY)
            return None
        result = self._library.Pa_ReadStream(self._pointer, self._target, count)
        dropped = result == _INPUT_OVERFLOWED
        if result and not dropped:
            self._check(result)
        self._read = count
        if count < blocks * self._size:  # the rest is about to come
            self._due = time_ + _RETRY
        else:
            self._due = (due if self._retry == _RETRY else time_) + _BLOCK - _CREEP
        self._retry = _RETRY
        pcm = self._buffer[: count * self._channels]
        if self._resampler is not None:
            pcm = self._resampler.push(pcm)
        left = (waiting - count) / self.rate
        return Recorded(pcm, count / self.rate, time_ - left, dropped)

    def close(self) -> None:
        """Close the device, whatever its state; hangs if the library hangs."""
        self._stream.abort()
        self._stream.close()


def _open(device: InputDevice, channels: int, rate: int | None) -> tuple[int, Any]:
    """Return the first rate that the device accepts, and the stream, started."""
    sounddevice = portaudio()
    devices.set_periods(_PERIODS)
    rates = [rate] if rate else [SAMPLE_RATE, device.default_rate]
    for wanted in rates:
        try:
            stream = sounddevice.RawInputStream(
                samplerate=wanted,
                blocksize=HOP * wanted // SAMPLE_RATE,
                device=device.index,
                channels=channels,
                dtype="int16",
                latency=_PERIODS / 2 * seconds(HOP),
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
