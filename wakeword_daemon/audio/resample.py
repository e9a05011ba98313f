"""Converts audio of any rate, with any number of channels, to 16 kHz mono."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.errors import AudioError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wakeword_daemon.pcm import Pcm


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
        self._plain = rate == SAMPLE_RATE and channels == 1
        if rate != SAMPLE_RATE:
            import soxr  # noqa: PLC0415 -- most microphones deliver 16 kHz and do not need it

            # In float32, because soxr dithers int16, and a split stream would differ from a whole.
            self._stream = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")

    @property
    def trail(self) -> int:
        """Samples (16 kHz) that went in and have not come out yet."""
        return 0 if self._stream is None else round(self._stream.delay())

    def push(self, pcm: NDArray[np.int16], *, last: bool = False) -> Pcm:
        """Return the samples, int16[m], that are complete with `pcm`.

        Args:
            pcm: int16[n, channels], or the same interleaved.
            last: whether the stream ends here; then all remaining samples are returned.

        """
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
