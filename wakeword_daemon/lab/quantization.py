"""int8 weights: torch's dynamic quantization, and ours with quantization-aware training."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from wakeword_daemon.training.fit.export import folded_weights
from wakeword_daemon.training.fit.network import TorchCRNN

LARGEST = 127
Stored = dict[str, npt.NDArray[np.generic]]
"""Weights as in the model file: int8 with NAME.scale, or floats."""


@torch.no_grad()
def as_rows(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round a weight to int8, row by row.

    The largest of a row becomes ±127. Scales are rounded to half precision, as they are stored.

    Returns:
        the int8 numbers, as floats, and the scale of each row, [rows, 1, …].
    """
    largest = weight.flatten(1).abs().amax(1).clamp_min(1e-4)
    scale = (largest / LARGEST).half().float().view(-1, *[1] * (weight.dim() - 1))
    return (weight / scale).round().clamp(-LARGEST, LARGEST), scale


@contextmanager
def fake_quantized(network: TorchCRNN) -> Iterator[None]:
    """Run a network with int8 weights; afterwards its own weights are restored.

    Gradients that are computed inside are those of the rounded weights, and are applied to its own:
    the straight-through estimator (Bengio et al. 2013, arXiv:1308.3432).
    """
    own = {name: p.detach().clone() for name, p in network.named_parameters() if p.dim() > 1}
    weights = dict(network.named_parameters())
    with torch.no_grad():
        for name, weight in own.items():
            numbers, scale = as_rows(weight)
            weights[name].copy_(numbers * scale)
    try:
        yield
    finally:
        with torch.no_grad():
            for name, weight in own.items():
                weights[name].copy_(weight)


def int8_rows(network: TorchCRNN) -> Stored:
    """Return a network's weights in int8 rows, and its biases and scales in half precision."""
    rounded = copy.deepcopy(network)
    # Round before folding, so that the convolution's bias fits the stored weights.
    with fake_quantized(rounded):
        folded = folded_weights(rounded)
    stored: Stored = {}
    for name, weight in folded.items():
        if weight.ndim == 1:
            stored[name] = weight.astype(np.float16)
            continue
        numbers, scale = as_rows(torch.from_numpy(weight))
        stored[name] = numbers.numpy().astype(np.int8)
        stored[f"{name}.scale"] = scale.flatten().numpy().astype(np.float16)
    return stored


def dynamic(network: TorchCRNN) -> tuple[nn.Module, Stored]:
    """Quantize GRU and linear layers by torch, dynamically, to qint8 with one scale a weight.

    Returns:
        torch's network, which also rounds the inputs of a layer; and the same weights for the model
        file, with which the engine computes in float32.

    """
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # torch wants its users elsewhere, but there is no GRU there
        quantized = torch.ao.quantization.quantize_dynamic(  # type: ignore[no-untyped-call]
            network, {nn.GRU, nn.Linear}, dtype=torch.qint8
        )
    tensors: dict[str, Tensor] = {
        f"gru.{name}": weight for name, weight in quantized.gru.get_weight().items()
    }
    for name in ("energy.0", "energy.2", "classifier"):
        tensors[f"{name}.weight"] = quantized.get_submodule(name).weight()
    stored: Stored = dict(folded_weights(network))
    for name, tensor in tensors.items():
        stored[name] = tensor.int_repr().numpy()
        stored[f"{name}.scale"] = np.array([tensor.q_scale()], np.float32)
    return quantized, stored


def weight_bytes(stored: Mapping[str, npt.NDArray[np.generic]]) -> int:
    """Return the bytes of weights, biases and scales, without any metadata."""
    return sum(array.nbytes for array in stored.values())
