"""Finds where in a recording the word begins and ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:  # it imports torch, which recording takes does not need
    from wakeword_daemon.training.data.melpower import Frames

SILENT_DB = -40.0
"""Level of the emphasised mel power, summed over the bands, below which a recording is silent."""
BELOW_PEAK_DB = 34.0
ABOVE_NOISE_DB = 9.0
HIGHEST_BELOW_PEAK_DB = 12.0
LONGEST_PAUSE = 22
"""The longest pause within a word or a phrase, in frames: 220 ms."""


@dataclass(frozen=True, slots=True)
class Span:
    """Mel frames [start, stop) in which somebody speaks; its length is a number of frames."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def speech_span(power: Frames, longest: int | None = None) -> Span | None:
    """Return the loudest stretch of speech in a recording of one word.

    A frame is speech if its level is within 34 dB of the loudest frame and 9 dB above the
    recording's noise (the tenth percentile). Stretches less than 220 ms apart are joined.

    Args:
        power: mel power, [frames, mels].
        longest: frames that the word may last. A longer stretch includes noise, for example of a
            microphone with automatic gain. Then the threshold is raised, to at most 12 dB below
            the loudest frame, until the stretch is short enough.

    Returns:
        the stretch; None in a recording of silence or noise alone.

    """
    if not len(power):
        return None
    smooth = _emphasised(power)
    level = 10 * np.log10(smooth + 1e-9)
    peak, noise = level.max(), np.percentile(level, 10)
    if peak < SILENT_DB or peak - noise < ABOVE_NOISE_DB:
        return None
    highest = peak - HIGHEST_BELOW_PEAK_DB
    threshold = max(peak - BELOW_PEAK_DB, min(noise + ABOVE_NOISE_DB, highest))
    span = _loudest_stretch(smooth, level > threshold)
    while longest is not None and len(span) > longest and threshold < highest:
        threshold += 2
        span = _loudest_stretch(smooth, level > threshold)
    return span


def is_alone(power: Frames, span: Span) -> bool:
    """Return whether no frame outside a span is within 12 dB of the loudest frame in it."""
    smooth = _emphasised(power)
    outside = np.delete(smooth, slice(span.start, span.stop))
    loud = smooth[span.start : span.stop].max() * 10 ** (-HIGHEST_BELOW_PEAK_DB / 10)
    return bool(outside.max(initial=0.0) < loud)


def _emphasised(power: Frames) -> npt.NDArray[np.float32]:
    emphasis = np.linspace(0.3, 3.0, power.shape[1], dtype=np.float32)  # fricatives are faint
    return np.convolve((power * emphasis).sum(axis=1), np.ones(3) / 3, mode="same")


def _loudest_stretch(power: npt.NDArray[np.float32], speech: npt.NDArray[np.bool_]) -> Span:
    """Return the stretch with the most power among the frames marked as speech."""
    loud = np.flatnonzero(speech)
    breaks = np.flatnonzero(np.diff(loud) > LONGEST_PAUSE)
    starts = loud[np.concatenate([[0], breaks + 1])]
    stops = loud[np.concatenate([breaks, [len(loud) - 1]])] + 1
    weights = [power[a:b].sum() for a, b in zip(starts, stops, strict=True)]
    best = int(np.argmax(weights))
    return Span(int(starts[best]), int(stops[best]))
