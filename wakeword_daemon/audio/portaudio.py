"""A microphone that PortAudio opens: any of ALSA's devices, with or without a sound server.

A poll follows a sleep, so it costs by the code and the memory that it touches. sounddevice's own
read makes a buffer each time and catches two exceptions inside; PortAudio's, into a buffer that
stays, takes half as long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wakeword_daemon.audio import devices
from wakeword_daemon.audio.devices import portaudio
from wakeword_daemon.clock import HOP, SAMPLE_RATE, seconds
from wakeword_daemon.errors import AudioError

if TYPE_CHECKING:
    from wakeword_daemon.audio.devices import InputDevice

_PERIODS = 16
"""Halves of a block of 80 ms that the device buffers, so that a longer sleep loses nothing.

Servers deliver two parts at a time, which is one block.
"""

MOST_BLOCKS = _PERIODS // 2
"""Blocks that one read returns at most."""

_VIRTUAL = 16
"""A device with more input channels than this is a sound server, which mixes them by itself."""

_INVALID_RATE = -9997
_INPUT_OVERFLOWED = -9981
"""PortAudio's paInvalidSampleRate and paInputOverflowed."""


class UnavailableError(AudioError):
    """The device is there, but does not open; another program may hold it."""


class PortAudioInput:
    """A stream from a device; like all of PortAudio, for one thread alone (see `devices`).

    Args:
        device: which one.
        channels: how many to record, or None for all.
        rates: samples a second; the first that the device accepts is taken.

    Attributes:
        name: the device's name.
        channels: how many it delivers.
        rate: samples a second.

    Raises:
        UnavailableError: it does not open.
        AudioError: it has no such channel or rate.

    """

    of_server = False

    def __init__(self, device: InputDevice, channels: int | None, rates: list[int]) -> None:
        if channels is None:
            channels = device.channels if device.channels <= _VIRTUAL else 1
        else:
            devices.check_channel(device.name, channels, device.channels)
        self.name, self.channels = device.name, channels
        sounddevice = portaudio()
        try:
            self.rate, self._stream = _open(device, channels, rates)
        except sounddevice.PortAudioError as error:
            raise UnavailableError(f"{device.name} does not open: {error.args[0]}") from None
        self._error = sounddevice.PortAudioError
        self._check = sounddevice._check  # noqa: SLF001 -- see above, as the next ones
        self._library, self._pointer = sounddevice._lib, self._stream._ptr  # noqa: SLF001
        most = MOST_BLOCKS * (HOP * self.rate // SAMPLE_RATE)
        buffer = bytearray(2 * most * channels)
        self._buffer = memoryview(buffer).cast("h")
        self._target = sounddevice._ffi.from_buffer(buffer)  # noqa: SLF001

    def waiting(self) -> int:
        """Return how many frames there are to read.

        Raises:
            AudioError: the device is gone.

        """
        count: int = self._library.Pa_GetStreamReadAvailable(self._pointer)
        if count < 0:
            self._fail(count)
        return count

    def read(self, count: int) -> tuple[memoryview, bool]:
        """Return the next frames, of which at least `count` are waiting; `MOST_BLOCKS` at most.

        Returns:
            int16[count * channels], until the next call; and whether some were lost before them.

        Raises:
            AudioError: the device is gone.

        """
        result = self._library.Pa_ReadStream(self._pointer, self._target, count)
        dropped = result == _INPUT_OVERFLOWED
        if result and not dropped:
            self._fail(result)
        return self._buffer[: count * self.channels], dropped

    def close(self) -> None:
        """Close the device, whatever its state; hangs if the library hangs."""
        self._stream.abort()
        self._stream.close()

    def _fail(self, code: int) -> None:
        try:
            self._check(code)
        except self._error as error:
            raise AudioError(f"the microphone stopped: {error.args[0]}") from None


def _open(device: InputDevice, channels: int, rates: list[int]) -> tuple[int, Any]:
    """Return the first rate that the device accepts, and the stream, started."""
    sounddevice = portaudio()
    devices.set_periods(_PERIODS)
    for rate in rates:
        try:
            stream = sounddevice.RawInputStream(
                samplerate=rate,
                blocksize=HOP * rate // SAMPLE_RATE,
                device=device.index,
                channels=channels,
                dtype="int16",
                latency=MOST_BLOCKS * seconds(HOP),
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
        return rate, stream
    raise AudioError(f"{device.name} does not run at {' or '.join(map(str, rates))} Hz.")
