"""Structured pruning: removes whole GRU units and convolution channels from a network.

Group lasso (Yuan & Lin 2006) on the outputs of a unit or channel, that is, on all weights that read
it. After each step of the optimizer its proximal operator moves each group towards zero. A group
that is not needed becomes exactly zero, and then cutting it changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from wakeword_daemon.engine.settings import Architecture
from wakeword_daemon.errors import TrainingError
from wakeword_daemon.training.fit.network import TorchCRNN


def shrinker(strength: float) -> Callable[[TorchCRNN, float], None]:
    """Return the proximal step of the group penalty: a function of network and learning rate."""

    @torch.no_grad()
    def shrink(network: TorchCRNN, rate: float) -> None:
        for readers in _groups(network):
            norm = _norms(readers)
            # The root of the size as a weight treats large and small groups alike.
            size = sum(reader[0].numel() for reader in readers) ** 0.5
            factor = (1 - strength * rate * size / norm.clamp_min(1e-12)).clamp_min(0)
            for reader in readers:
                reader.mul_(factor.view(-1, *[1] * (reader.dim() - 1)))

    return shrink


@torch.no_grad()
def cut(network: TorchCRNN, wanted: Architecture) -> tuple[TorchCRNN, float]:
    """Return a smaller network of the units and channels with the largest norms.

    Args:
        network: the network to cut, which is not changed.
        wanted: its architecture, with fewer `channels`, `hidden` and `attention`.

    Returns:
        the smaller network, and the share of the groups' squared norms that was cut off.

    Raises:
        TrainingError: the wanted architecture is larger, or differs in other numbers too.

    """
    check_cut(network.architecture, wanted)
    groups = _groups(network)
    sizes = [wanted.channels, *[wanted.hidden] * wanted.layers, wanted.attention]
    norms = [_norms(readers) for readers in groups]
    kept = [norm.topk(size).indices.sort().values for norm, size in zip(norms, sizes, strict=True)]
    total = sum(float(norm.square().sum()) for norm in norms)
    left = sum(float(norm[index].square().sum()) for norm, index in zip(norms, kept, strict=True))
    channels, units, inner = kept[0], kept[1:-1], kept[-1]
    old = network.state_dict()
    small = TorchCRNN(wanted, network.features, mean=float(network.mean), std=float(network.std))
    bands = wanted.bands(network.features)
    new = {
        "conv.weight": old["conv.weight"][channels],
        "conv.bias": old["conv.bias"][channels],
        "energy.0.weight": old["energy.0.weight"][inner][:, units[-1]],
        "energy.0.bias": old["energy.0.bias"][inner],
        "energy.2.weight": old["energy.2.weight"][:, inner],
        "energy.2.bias": old["energy.2.bias"],
        "classifier.weight": old["classifier.weight"][:, units[-1]],
        "classifier.bias": old["classifier.bias"],
    }
    inputs = (channels[:, None] * bands + torch.arange(bands)).flatten()
    for layer, unit in enumerate(units):
        hidden = network.architecture.hidden
        gates = (torch.arange(3)[:, None] * hidden + unit).flatten()
        new[f"gru.weight_ih_l{layer}"] = old[f"gru.weight_ih_l{layer}"][gates][:, inputs]
        new[f"gru.weight_hh_l{layer}"] = old[f"gru.weight_hh_l{layer}"][gates][:, unit]
        for side in ("ih", "hh"):
            new[f"gru.bias_{side}_l{layer}"] = old[f"gru.bias_{side}_l{layer}"][gates]
        inputs = unit
    small.load_state_dict(small.state_dict() | new)
    return small, 1 - left / total


def _groups(network: TorchCRNN) -> list[list[Tensor]]:
    """Return the weights that read each channel, each unit of a layer, and each attention unit.

    There is one list for the channels, one for each layer and one for the attention. Its tensors
    are views of weights, whose first axis is the channel or unit.
    """
    a = network.architecture
    weights = dict(network.named_parameters())
    bands = a.bands(network.features)
    groups = [
        [weights["gru.weight_ih_l0"].detach().view(3 * a.hidden, a.channels, bands).transpose(0, 1)]
    ]
    for layer in range(a.layers):
        readers = [weights[f"gru.weight_hh_l{layer}"].detach().T]
        if layer + 1 < a.layers:
            readers.append(weights[f"gru.weight_ih_l{layer + 1}"].detach().T)
        else:
            readers.append(weights["energy.0.weight"].detach().T)
            readers.append(weights["classifier.weight"].detach().T)
        groups.append(readers)
    groups.append([weights["energy.2.weight"].detach().T])
    return groups


def _norms(readers: list[Tensor]) -> Tensor:
    squares: Tensor = torch.stack([reader.flatten(1).square().sum(1) for reader in readers]).sum(0)
    return squares.sqrt()


def check_cut(old: Architecture, wanted: Architecture) -> None:
    """Refuse an architecture that pruning cannot lead to.

    Raises:
        TrainingError: the wanted architecture is larger, or differs in other numbers too.

    """
    pruned = ("channels", "hidden", "attention")
    for name in Architecture.__slots__:
        before, after = getattr(old, name), getattr(wanted, name)
        if after > before if name in pruned else after != before:
            raise TrainingError(
                f"pruning cannot change {name} from {before} to {after}; it can only reduce "
                f"{', '.join(pruned)}"
            )
