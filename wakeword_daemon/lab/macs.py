"""Counts multiply-accumulates (MACs), in the same way for every network."""

from __future__ import annotations

import math

from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.engine.crnn import weight_shapes
from wakeword_daemon.engine.settings import Architecture, FeatureSettings

SECONDS = 2
"""Seconds of audio that the source report counts operations for."""


def parameters(a: Architecture, features: FeatureSettings) -> int:
    """Return the number of weights and biases."""
    return sum(math.prod(shape) for shape in weight_shapes(a, features).values())


def macs_a_step(a: Architecture, features: FeatureSettings) -> int:
    """Return the multiply-accumulates of one step of the streaming network.

    Counted are the convolution, the three gates of every GRU layer, the energy network, and the
    attention's weighted sum of one new hidden state. Not counted, for any network, are additions of
    biases, products of gates and states, and the functions (sigmoid, tanh, softmax).
    """
    columns = a.channels * a.bands(features)
    convolution = columns * a.kernel_mels * a.kernel_frames
    recurrent = 3 * a.hidden * (columns + a.hidden) + (a.layers - 1) * 3 * a.hidden * 2 * a.hidden
    attention = a.hidden * a.attention + a.attention + a.hidden
    return convolution + recurrent + attention


def macs(a: Architecture, features: FeatureSettings) -> int:
    """Return the multiply-accumulates of two seconds: all steps, and the classifier once."""
    frames = (SECONDS * SAMPLE_RATE - features.window) // features.hop + 1
    steps = (frames - a.kernel_frames) // a.stride_frames + 1
    return steps * macs_a_step(a, features) + 2 * a.hidden
