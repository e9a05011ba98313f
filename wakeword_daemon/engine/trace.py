"""What a word's network computes for a recording, step by step, for pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from wakeword_daemon.clock import seconds
from wakeword_daemon.engine.closerlook import CloserLook
from wakeword_daemon.engine.logmel import LogMel
from wakeword_daemon.engine.numpy_stream import NumpyStream

if TYPE_CHECKING:
    from wakeword_daemon.engine.modelfile import Model
    from wakeword_daemon.pcm import Pcm


@dataclass(frozen=True)
class Trace:
    """The inputs, inner values and outputs of a network over a recording.

    Attributes:
        log_mel: the features, natural logarithm of mel power, [frames, mels].
        ends: the second at which each step ends, [steps].
        attention: the attention weights of each step, oldest first, [steps, T]; 0 to 1.
        probabilities: the word's probability at each step, after closer looks, [steps]; 0 to 1.

    """

    log_mel: npt.NDArray[np.float32]
    ends: npt.NDArray[np.float64]
    attention: npt.NDArray[np.float32]
    probabilities: npt.NDArray[np.float32]


def trace(model: Model, pcm: Pcm) -> Trace:
    """Run a word's network over int16 samples [samples] at 16 kHz and keep what it computed."""
    card = model.card
    log_mel = LogMel(card.features).frames(pcm)
    network = model.network()
    stream = NumpyStream([network])
    made, ends, attention = [], [], []
    for index, frame in enumerate(log_mel):
        for step in stream.hear_frames(frame[None]):
            made.append(step)
            ends.append(seconds(card.features.frame_end(index)))
            attention.append(stream.attention_weights())
    CloserLook([network], stream).revise_frames(log_mel, made)
    return Trace(
        log_mel,
        np.array(ends),
        np.array(attention, np.float32).reshape(len(ends), card.architecture.steps),
        np.array([probability for _, _, (probability,) in made], np.float32),
    )
