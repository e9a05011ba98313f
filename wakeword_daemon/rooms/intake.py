"""Converts the audio that a room sends, in any format, to 16 kHz mono."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.events.framing import ProtocolError
from wakeword_daemon.pcm import samples_of

if TYPE_CHECKING:
    from wakeword_daemon.audio.resample import Resampler
    from wakeword_daemon.pcm import Pcm, Samples
    from wakeword_daemon.rooms.protocol import AudioFormat

_RATES = range(8_000, 192_001)
_CHANNELS = range(1, 33)
_UNSIGNED_BYTE, _INT16, _INT24, _INT32 = 1, 2, 3, 4
_LITTLE_ENDIAN = "<i2"


class Intake:
    """Turns the payloads of one format into 16 kHz mono, as one stream.

    Samples are little-endian and signed, of 16, 24 or 32 bits, or bytes around 128, as in a WAV
    file. Of several channels the first is heard: on an array of microphones the last ones often
    carry what its own loudspeaker plays.

    Raises:
        ProtocolError: the format makes no sense.

    """

    def __init__(self, form: AudioFormat) -> None:
        if form.rate not in _RATES:
            raise ProtocolError(
                "bad-audio", f"a rate of {form.rate} Hz is not accepted; use 8000 to 192000"
            )
        if form.width not in {_UNSIGNED_BYTE, _INT16, _INT24, _INT32}:
            raise ProtocolError(
                "bad-audio", f"samples of {form.width} bytes are not accepted; use 1, 2, 3 or 4"
            )
        if form.channels not in _CHANNELS:
            raise ProtocolError(
                "bad-audio", f"{form.channels} channels are not accepted; use 1 to 32"
            )
        self._rate = form.rate
        self._width = form.width
        self._frame = form.width * form.channels
        self._resampler = _resampler(form)

    @property
    def trail(self) -> int:
        """Samples, at 16 kHz, that went in and have not come out yet."""
        return 0 if self._resampler is None else self._resampler.trail

    def seconds(self, payload: bytes | memoryview) -> float:
        """Return how long the payload lasts."""
        return len(payload) / (self._frame * self._rate)

    def push(self, payload: bytes | memoryview) -> Samples:
        """Return the samples that the payload completes.

        Raises:
            ProtocolError: it ends in the middle of a sample, or of a sample of all channels.

        """
        if len(payload) % self._frame:
            raise ProtocolError(
                "bad-audio",
                f"a payload of {len(payload)} bytes is cut off: a sample of all channels has"
                f" {self._frame}",
            )
        if self._resampler is None:
            return samples_of(payload)
        return self._resampler.push(_int16(payload, self._width))

    def flush(self) -> Samples:
        """Return what was held back, at the end of the audio."""
        nothing = samples_of(b"")
        return nothing if self._resampler is None else self._resampler.push(nothing, last=True)


def _resampler(form: AudioFormat) -> Resampler | None:
    """Return what converts a format; None if it is the one that is needed."""
    if (form.rate, form.width, form.channels) == (SAMPLE_RATE, _INT16, 1):
        return None
    from wakeword_daemon.audio.resample import Resampler  # noqa: PLC0415 -- loads numpy

    return Resampler(form.rate, form.channels)


def _int16(payload: bytes | memoryview, width: int) -> Pcm:
    """Return the samples as int16: of wider ones the upper 16 bits."""
    import numpy as np  # noqa: PLC0415 -- most rooms send what is needed

    if width == _INT16:
        return np.frombuffer(payload, _LITTLE_ENDIAN)
    if width == _UNSIGNED_BYTE:
        return (np.frombuffer(payload, np.uint8).astype(np.int16) - 128) << 8
    octets = np.frombuffer(payload, np.uint8).reshape(-1, width)
    return np.ascontiguousarray(octets[:, -2:]).view(_LITTLE_ENDIAN)[:, 0]
