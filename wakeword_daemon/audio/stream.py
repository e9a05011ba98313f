"""One open microphone, polled for blocks of 80 ms or several of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from wakeword_daemon.audio import devices, pulse
from wakeword_daemon.audio.portaudio import MOST_BLOCKS, PortAudioInput
from wakeword_daemon.audio.pulse import PulseInput, ServerAwayError
from wakeword_daemon.audio.timekeeper import now
from wakeword_daemon.clock import HOP, SAMPLE_RATE, seconds
from wakeword_daemon.pcm import samples_of

if TYPE_CHECKING:
    from wakeword_daemon.audio.resample import MicrophoneResampler
    from wakeword_daemon.audio.sources import CaptureSettings
    from wakeword_daemon.pcm import Samples

_CREEP = 3e-4
"""Seconds by which each block is expected earlier than the last, to find out when it is due."""

_BLOCK = seconds(HOP)

_RETRY = 4e-3
_LONGEST_RETRY = 32e-3
"""Seconds before looking again for a block that was not complete; twice as long each time."""


class Recorded(NamedTuple):
    """Blocks of 80 ms of a microphone."""

    pcm: Samples
    """int16[n] at 16 kHz mono, until the next poll; n is about 1,280 a block."""
    duration: float
    """Seconds that were recorded."""
    captured: float
    """When they were over, in seconds by `timekeeper.now`."""
    dropped: bool
    """Whether the sound system dropped audio before it."""


class Input(Protocol):
    """What a sound system delivers; see `PulseInput` and `PortAudioInput`."""

    name: str
    of_server: bool
    channels: int
    rate: int

    def waiting(self) -> int:
        """Return how many frames there are to read."""

    def read(self, count: int) -> tuple[memoryview, bool]:
        """Return that many frames, `MOST_BLOCKS` at most, and whether some were lost before."""

    def close(self) -> None:
        """Close it."""


class InputStream:
    """A stream from a microphone, open until `close`.

    Args:
        source: where the audio comes from.
        channel: which channel to keep, or "mix" for the mean of all.

    Attributes:
        name: the device's name.
        of_server: whether a sound server delivers it by its own protocol.
        rate: samples a second of the device.
        channels: how many of the device are recorded.
        raw: the last blocks before they were converted, int16[frames * channels], until the next
            poll.

    Raises:
        AudioError: the device is gone; every method may raise it.

    """

    def __init__(self, source: Input, channel: int | Literal["mix"]) -> None:
        self.name, self.rate, self.of_server = source.name, source.rate, source.of_server
        self._source = source
        self.channels = source.channels
        self.raw = samples_of(b"")
        self._resampler = _resampler(self.rate, self.channels, channel)
        self._size = HOP * self.rate // SAMPLE_RATE
        self._due = now()
        self._retry = _RETRY

    @property
    def trail(self) -> int:
        """Samples (16 kHz) that are recorded and not yet returned."""
        return 0 if self._resampler is None else self._resampler.trail

    def poll(self, blocks: int = 1) -> Recorded | None:
        """Sleep until `blocks` blocks should be complete; return all that are complete, or None.

        One call costs one wake-up: each block is expected a little less than 80 ms after the last,
        so that the wake-ups move slowly towards the moment at which blocks are delivered.
        """
        due = self._due + (blocks - 1) * _BLOCK
        time.sleep(max(due - now(), 0))
        waiting = self._source.waiting()
        time_ = now()
        count = min(waiting // self._size, MOST_BLOCKS) * self._size
        if not count:
            self._due = time_ + self._retry
            self._retry = min(2 * self._retry, _LONGEST_RETRY)
            return None
        self.raw, dropped = self._source.read(count)
        if count < blocks * self._size:  # the rest is about to come
            self._due = time_ + _RETRY
        else:
            self._due = (due if self._retry == _RETRY else time_) + _BLOCK - _CREEP
        self._retry = _RETRY
        pcm = self.raw if self._resampler is None else self._resampler.push(self.raw)
        left = (waiting - count) / self.rate
        return Recorded(pcm, count / self.rate, time_ - left, dropped)

    def close(self) -> None:
        """Close the device; hangs if PortAudio hangs."""
        self._source.close()


def _resampler(
    rate: int, channels: int, channel: int | Literal["mix"]
) -> MicrophoneResampler | None:
    """Return what converts a microphone's audio; None if it comes as it is needed."""
    if rate == SAMPLE_RATE and channels == 1:
        return None
    from wakeword_daemon.audio.resample import MicrophoneResampler  # noqa: PLC0415 -- loads numpy

    return MicrophoneResampler(rate, channels, channel)


def require_library(settings: CaptureSettings) -> None:
    """Check that there is a library to record with, without loading PortAudio.

    Raises:
        AudioError: there is none.

    """
    if settings.device is not None or not pulse.installed():
        devices.require_portaudio()


def open_microphone(
    settings: CaptureSettings, *, search: bool = False, server_only: bool = False
) -> InputStream:
    """Open the microphone that the settings name.

    The default one is the sound server's, if there is a server; otherwise it is PortAudio's.

    Args:
        settings: which one, and how.
        search: let PortAudio look for devices again, which takes time.
        server_only: do not ask PortAudio for a default microphone.

    Raises:
        UnavailableError: it does not open.
        AudioError: there is no such microphone, channel or rate.

    """
    channels = None if settings.channel == "mix" else settings.channel
    if settings.device is None:
        rate = settings.rate or SAMPLE_RATE
        try:
            source = PulseInput(channels or 1, rate, HOP * rate // SAMPLE_RATE)
        except ServerAwayError:
            if server_only:
                raise
        else:
            return InputStream(source, settings.channel)
    if search:
        devices.refresh()
    device = devices.find(settings.device)
    rates = [settings.rate] if settings.rate else [SAMPLE_RATE, device.default_rate]
    return InputStream(PortAudioInput(device, channels, rates), settings.channel)
