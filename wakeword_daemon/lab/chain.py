"""Checks that the offline network, the streaming network and the engine compute the same.

The changes by quantizing are reported beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wakeword_daemon.engine.modelfile import Model
from wakeword_daemon.engine.numpy_stream import NumpyStream
from wakeword_daemon.engine.streams import Stream, new_stream, running_step
from wakeword_daemon.lab.answers import log_odds_of
from wakeword_daemon.lab.models import clip_network
from wakeword_daemon.training.fit.network import StreamingCRNN, TorchCRNN

TOLERANCE = 1e-4
"""Largest difference from the offline network that streaming and engine may have."""
STREAMS = 512

Mel = npt.NDArray[np.float32]
Probabilities = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Link:
    """How far one way of computing is from the offline network with the file's weights.

    Attributes:
        name: the way of computing.
        difference: largest difference in probability over all clips.
        decisions: number of clips with another decision at the operating threshold.
        exact: whether the results must be the same, up to rounding.

    """

    name: str
    difference: float
    decisions: int
    exact: bool

    @property
    def holds(self) -> bool:
        """Whether the results are the same, if they must be."""
        return not self.exact or (self.difference <= TOLERANCE and not self.decisions)


def check_chain(
    model: Model,
    mel: Mel,
    *,
    unrounded: TorchCRNN | None = None,
    dynamic: Callable[[Tensor], Tensor] | None = None,
) -> list[Link]:
    """Run clips in every way of computing, and compare them with the offline network.

    Args:
        model: the model as read from its file.
        mel: the clips, [clips, F, mels].
        unrounded: the network before it was quantized.
        dynamic: the network that torch quantized dynamically.

    """
    offline = _sigmoid(log_odds_of(clip_network(model), mel))
    ways: list[tuple[str, Probabilities, bool]] = [
        ("streaming, torch", _streamed(clip_network(model), mel), True),
        ("engine, numpy", _run(NumpyStream([model.network()]), mel), True),
    ]
    if running_step() == "C":
        ways.append(("engine, C", _run(new_stream([model.network()]), mel), True))
    if unrounded is not None:
        ways.append(("before quantizing, torch", _sigmoid(log_odds_of(unrounded, mel)), False))
    if dynamic is not None:
        ways.append(("dynamically quantized, torch", _sigmoid(log_odds_of(dynamic, mel)), False))
    fires = offline >= model.threshold
    return [
        Link(
            name,
            float(np.abs(probabilities - offline).max()),
            int(((probabilities >= model.threshold) != fires).sum()),
            exact,
        )
        for name, probabilities, exact in ways
    ]


def _sigmoid(log_odds: Tensor) -> Probabilities:
    probabilities: Probabilities = log_odds.sigmoid().numpy()
    return probabilities


def _streamed(network: TorchCRNN, mel: Mel) -> Probabilities:
    """Return the last probability of the streaming network, run one mel frame at a time."""
    streaming = StreamingCRNN(network)
    parts = []
    for start in range(0, len(mel), STREAMS):
        clips = torch.from_numpy(mel[start : start + STREAMS])
        state = streaming.initial_state(len(clips))
        for frame in range(clips.shape[1]):
            streaming(state, clips[:, frame])
        parts.append(state.probability.numpy())
    return np.concatenate(parts)


def _run(stream: Stream, mel: Mel) -> Probabilities:
    """Return the last probability of a stream through one network, heard from its beginning."""
    last = np.empty(len(mel), np.float32)
    for index, clip in enumerate(mel):
        stream.reset()
        _, _, (last[index],) = stream.hear_frames(clip)[-1]
    return last
