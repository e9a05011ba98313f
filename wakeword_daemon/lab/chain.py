"""The chain from training to the daemon: offline = streaming = engine = what the table tells.

What quantizing changed is told beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wakeword_daemon.engine.modelfile import Model
from wakeword_daemon.lab.answers import log_odds_of
from wakeword_daemon.lab.models import engine_from_model, torch_from_model
from wakeword_daemon.training.fit.network import StreamingCRNN, TorchCRNN

TOLERANCE = 1e-4
"""Most by which streaming and engine may differ from the offline network."""
STREAMS = 512

Mel = npt.NDArray[np.float32]
Probabilities = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Link:
    """How far one way of computing is from the offline network with the file's weights.

    Attributes:
        name: the way.
        difference: largest difference of the probability over all clips.
        decisions: clips that are decided otherwise at the operating threshold.
        exact: whether the way must give the same, up to rounding.

    """

    name: str
    difference: float
    decisions: int
    exact: bool

    @property
    def holds(self) -> bool:
        """Whether it gives the same where it must."""
        return not self.exact or (self.difference <= TOLERANCE and not self.decisions)


def check_chain(
    model: Model,
    mel: Mel,
    *,
    unrounded: TorchCRNN | None = None,
    dynamic: Callable[[Tensor], Tensor] | None = None,
) -> list[Link]:
    """Compute clips [clips, F, mels] in every way and compare with the offline network.

    Args:
        model: as it was read from its file.
        mel: the clips.
        unrounded: the network before it was quantized.
        dynamic: torch's dynamically quantized network.

    """
    offline = _sigmoid(log_odds_of(torch_from_model(model), mel))
    ways: list[tuple[str, Probabilities, bool]] = [
        ("streaming, torch", _streamed(torch_from_model(model), mel), True),
        ("engine, numpy", _run(model, mel), True),
    ]
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
    """Return the last probability of the streaming specification, one mel frame at a time."""
    streaming = StreamingCRNN(network)
    parts = []
    for start in range(0, len(mel), STREAMS):
        clips = torch.from_numpy(mel[start : start + STREAMS])
        state = streaming.initial_state(len(clips))
        for frame in range(clips.shape[1]):
            streaming(state, clips[:, frame])
        parts.append(state.probability.numpy())
    return np.concatenate(parts)


def _run(model: Model, mel: Mel) -> Probabilities:
    network = engine_from_model(model)
    state = network.initial_state(len(mel))
    values, _ = network.steps(state, mel)
    return values[:, 0, -1]
