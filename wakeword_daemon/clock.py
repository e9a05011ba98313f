"""The sample clock: every time in the daemon is an index of a 16 kHz sample.

Index 0 is the first sample of the stream. The index is a Python integer, so it neither rounds nor
wraps, however long the daemon listens.
"""

SAMPLE_RATE = 16_000
"""Samples a second of all audio after the capture thread."""

HOP = 1_280
"""Samples in one hop: 80 ms, one step of the engine."""


def seconds(sample: int) -> float:
    """Return the stream time of a sample index (or a count of samples) in seconds."""
    return sample / SAMPLE_RATE


def milliseconds(sample: int) -> int:
    """Return the stream time of a sample index in whole milliseconds, rounded down."""
    return sample * 1000 // SAMPLE_RATE


def samples(duration: float) -> int:
    """Return how many samples last `duration` seconds, rounded to the nearest."""
    return round(duration * SAMPLE_RATE)
