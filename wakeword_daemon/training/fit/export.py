"""Converts a trained network to one for the engine, and back to one for training."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from wakeword_daemon.engine import crnn
from wakeword_daemon.engine.modelfile import Model
from wakeword_daemon.engine.settings import Architecture
from wakeword_daemon.training.fit.network import TorchCRNN


def folded_weights(network: TorchCRNN) -> dict[str, npt.NDArray[np.float32]]:
    """Return the weights of a network with the shift and scale of its input folded in.

    (x - mean) / std convolved with W, plus b, equals x convolved with W / std, plus
    b - sum(W) * mean / std. The convolution has no padding, so this is exact.
    """
    weights = {
        name: value.detach().cpu().numpy().astype(np.float32)
        for name, value in network.state_dict().items()
        if name not in ("mean", "std")
    }
    kernel = weights["conv.weight"] / network.std.item()
    weights["conv.bias"] = weights["conv.bias"] - kernel.sum(axis=(1, 2, 3)) * network.mean.item()
    weights["conv.weight"] = kernel
    return {name: np.ascontiguousarray(value, np.float32) for name, value in weights.items()}


def engine_from_torch(network: TorchCRNN) -> crnn.CRNN:
    """Return what the engine runs, with the weights of a torch network."""
    return crnn.CRNN(network.architecture, network.features, folded_weights(network), network.ways)


def torch_from_model(model: Model, architecture: Architecture | None = None) -> TorchCRNN:
    """Return a model's network in torch, with the shift and scale of its input unfolded again.

    Args:
        model: what gives the weights.
        architecture: the network's, where it is to differ from the model's in what has no weights,
            such as the steps that attention covers.

    """
    network = TorchCRNN(architecture or model.card.architecture, model.card.features)
    weights = {name: torch.from_numpy(np.array(weight)) for name, weight in model.weights.items()}
    kernel = weights["conv.weight"] * network.std
    weights["conv.bias"] += kernel.sum((1, 2, 3)) * network.mean / network.std
    weights["conv.weight"] = kernel
    network.load_state_dict(network.state_dict() | weights)
    network.ways = model.card.ways
    return network.eval()


@torch.no_grad()
def round_matrices(network: TorchCRNN) -> None:
    """Round the large matrices to numbers that float16 can hold, in place.

    The step in C reads them all at each hop, and half as many bytes take less time.
    """
    for name, weight in network.named_parameters():
        if name.startswith(crnn.MATRICES):
            weight.copy_(weight.half())


@torch.no_grad()
def shift_log_odds(network: TorchCRNN, shift: float) -> None:
    """Add `shift` to the network's log odds of the word, in place."""
    network.classifier.bias.add_(torch.tensor([-shift / 2, shift / 2]))
