"""Converts audio of any rate, with any number of channels, to 16 kHz mono.

soxr does it for recordings, and for microphones where the package was built without a compiler.
A microphone delivers a block every 80 ms, and after such a pause a call costs by the memory and the
code that it touches; the filter in C touches a fifth.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.errors import AudioError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wakeword_daemon.pcm import Pcm, Samples


_HALF = 32
"""Zeros of the filter on either side of its middle, at the lower of both rates."""

_CUTOFF = 0.94
"""Where the filter has halved the amplitude, as a share of the lower rate's band."""

_KAISER = 7.9
"""Shape of the filter's window; this one leaves -80 dB beyond the band."""

_GROUP = 16
"""Weights that _filter.c sums at once; those of a phase are filled up to a multiple of it."""


class Resampler:
    """Converts a stream of int16 at any rate, with any number of channels, to 16 kHz mono.

    However the stream is split, the output is the same. It lags behind the input by the filter's
    length, up to 40 ms at 44.1 and 48 kHz; at 16 kHz nothing is filtered.

    Args:
        rate: samples a second of the input.
        channels: number of channels of the input.
        channel: the channel to keep, counted from 1, or "mix" for the mean of all.

    Raises:
        AudioError: there is no such channel.

    """

    def __init__(self, rate: int, channels: int = 1, channel: int | Literal["mix"] = 1) -> None:
        if channel != "mix" and not 1 <= channel <= channels:
            raise AudioError(
                f"There is no channel {channel}: the input has {channels}; "
                f'choose one from 1 to {channels}, or "mix".'
            )
        self._channels = channels
        self._channel = channel
        self._stream = None
        self._trail = 0
        self._plain = rate == SAMPLE_RATE and channels == 1
        if rate != SAMPLE_RATE:
            self._convert_from(rate)

    def _convert_from(self, rate: int) -> None:
        import soxr  # noqa: PLC0415 -- most microphones do not need it

        # In float32, because soxr dithers int16, and a split stream would differ from a whole.
        self._stream = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")

    @property
    def trail(self) -> int:
        """Samples (16 kHz) that went in and have not come out yet."""
        return self._trail if self._stream is None else round(self._stream.delay())

    def push(self, given: Samples, *, last: bool = False) -> Pcm:
        """Return the samples, int16[m], that are complete with `given`.

        Args:
            given: int16[n, channels], or the same interleaved.
            last: whether the stream ends here; then all remaining samples are returned.

        """
        pcm: Pcm = np.asarray(given)
        if self._plain and pcm.ndim == 1:
            return pcm
        frames = pcm.reshape(-1, self._channels)
        if self._channel != "mix":
            mono = frames[:, self._channel - 1]
        elif self._channels == 1:
            mono = frames[:, 0]
        else:
            mono = np.rint(frames.mean(axis=1, dtype=np.float32)).astype(np.int16)
        if self._stream is None:
            return mono
        out = self._stream.resample_chunk(mono.astype(np.float32), last=last)
        # A filtered full-scale input may exceed full scale, and without clipping would wrap around.
        # In place, by the bare ufuncs: the memory and the code of a live stream are always cold.
        np.rint(out, out=out)
        np.minimum(out, 32_767, out=out)
        np.maximum(out, -32_768, out=out)
        rounded: Pcm = out.astype(np.int16)
        return rounded


class MicrophoneResampler(Resampler):
    """The same for a microphone, at less cost; it lags behind by 2 ms at 44.1 and 48 kHz.

    With blocks of 80 ms, each but the first gives 1,280 samples.
    """

    _filter: Any = None

    def _convert_from(self, rate: int) -> None:
        filter_in_c = _filter_in_c()
        if self._channel == "mix" or filter_in_c is None:
            super()._convert_from(rate)
            return
        table, phases, step = _table(rate)
        self._filter = filter_in_c(table, phases, step)
        self._index = self._channel - 1
        self._trail = round(table.shape[1] / 2 * phases / step)
        self._flush = np.zeros(table.shape[1] // 2 * self._channels, np.int16)

    def push(self, given: Samples, *, last: bool = False) -> Pcm:
        """Return the samples, int16[m], that are complete with `given`; see `Resampler.push`."""
        if self._filter is None:
            return super().push(given, last=last)
        made = self._filter.push(given, self._channels, self._index)
        if last:
            made += self._filter.push(self._flush, self._channels, self._index)
        return np.frombuffer(made, np.int16)


def _table(rate: int) -> tuple[NDArray[np.float32], int, int]:
    """Return the weights of a polyphase filter [phases, taps], the phases, and its step.

    Each output lies step / phases input samples after the last; the rest of this is its phase. A
    windowed sinc (Crochiere and Rabiner, Multirate Digital Signal Processing, 1983).
    """
    common = math.gcd(rate, SAMPLE_RATE)
    phases, step = SAMPLE_RATE // common, rate // common
    narrower = min(1.0, phases / step)
    half = _GROUP * math.ceil(2 * _HALF / narrower / _GROUP) // 2
    # Of an output between samples 0 and 1, the weights of the samples 1 - half to half.
    time = np.arange(1 - half, half + 1) - np.arange(phases)[:, None] / phases
    window = np.i0(_KAISER * np.sqrt(np.maximum(1 - (time / half) ** 2, 0))) / np.i0(_KAISER)
    weights = np.sinc(_CUTOFF * narrower * time) * window
    weights /= weights.sum(axis=1, keepdims=True)
    return weights.astype(np.float32), phases, step


def _filter_in_c() -> Any:  # noqa: ANN401 -- a type in C, or nothing
    """Return the filter in C, or None where it was not built or is of another machine."""
    try:
        from wakeword_daemon.audio import _filter  # type: ignore[attr-defined] # noqa: PLC0415
    except ImportError:
        return None
    return _filter.Filter
