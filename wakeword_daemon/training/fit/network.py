"""The attention CRNN in torch: the network that is trained, and its streaming form.

`TorchCRNN` holds the weights and runs whole recordings. `StreamingCRNN` wraps the same weights and
advances by one mel frame; it is the specification that the numpy engine is tested against.

Source: Shan et al., "Attention-based End-to-End Models for Small-Footprint Keyword Spotting",
2018 (arXiv:1803.10916).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from wakeword_daemon.engine.crnn import LARGEST_ENERGY
from wakeword_daemon.engine.settings import Architecture, FeatureSettings
from wakeword_daemon.engine.sounds import Ways
from wakeword_daemon.training.fit.gru import run_gru

MOST_ENERGY = 0.9 * LARGEST_ENERGY
"""What the energies of attention are limited to in training, so that rounding cannot lift them over
what the engine computes."""


class TorchCRNN(nn.Module):
    """Strided convolution, GRU, attention over time, classifier.

    Log-mel frames are shifted and scaled by the constants `mean` and `std` before the
    convolution. These are not parameters: `export.folded_weights` folds them into the convolution,
    so the engine has no such step.

    Attributes:
        ways: how the word is said, for the engine; training does not need it.

    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        architecture: Architecture | None = None,
        features: FeatureSettings | None = None,
        *,
        mean: float = -5.0,
        std: float = 5.0,
    ) -> None:
        super().__init__()
        self.ways: Ways = ()
        a = self.architecture = architecture or Architecture()
        self.features = features or FeatureSettings()
        self.conv = nn.Conv2d(
            1, a.channels, (a.kernel_mels, a.kernel_frames), (a.stride_mels, a.stride_frames)
        )
        self.gru = nn.GRU(a.channels * a.bands(self.features), a.hidden, a.layers, batch_first=True)
        self.energy = nn.Sequential(
            nn.Linear(a.hidden, a.attention), nn.Tanh(), nn.Linear(a.attention, 1)
        )
        self.classifier = nn.Linear(a.hidden, 2)
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))

    def normal(self, mel: Tensor) -> Tensor:
        """Shift and scale log-mel frames."""
        return (mel - self.mean) / self.std

    def columns(self, mel: Tensor) -> Tensor:
        """Convolve log-mel frames [B, F, mels] into GRU inputs [B, steps, channels * bands]."""
        return convolve(mel, [self])[0]

    def forward(self, mel: Tensor) -> Tensor:
        """Classify whole clips: [B, F, mels] → logits [B, 2], attention over every step."""
        hidden, _ = self.listen(self.columns(mel), None)
        weights = self.energy(hidden).squeeze(-1).softmax(-1)
        logits: Tensor = self.classifier((weights.unsqueeze(1) @ hidden).squeeze(1))
        return logits

    def stream(self, mel: Tensor) -> Tensor:
        """Classify every step of streams: [B, F, mels] → logits [B, steps, 2].

        The GRU runs through from a zero state; attention at a step covers that step and the
        `steps` - 1 before it, as far as the stream has come.
        """
        hidden, _ = self.listen(self.columns(mel), None)
        return self.decide(hidden)

    @torch.no_grad()
    def limit_energies(self) -> None:
        """Shrink the energies of attention, in place, if the engine could not compute them.

        Where attention is sharp already, larger energies hardly change it, so nothing else stops
        them from growing.
        """
        weight = cast(nn.Linear, self.energy[2]).weight
        weight.mul_((MOST_ENERGY / weight.abs().sum()).clamp(max=1.0))

    def listen(self, columns: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Run the GRU over columns of streams from a state [layers, B, hidden], or from zero.

        Returns:
            its output at every step, [B, steps, hidden], and its last state.

        """
        return run_gru(self.gru, columns, state)

    def decide(self, hidden: Tensor) -> Tensor:
        """Attend to the GRU's output [B, steps, hidden] from every step: logits [B, steps, 2]."""
        energy = self.energy(hidden).squeeze(-1)
        # The classifier is linear and the weights sum to 1: classifying each hidden state before
        # attention gives the same, and needs no window of hidden states at every step.
        votes = self.classifier(hidden)
        window = self.architecture.steps
        past = nn.functional.pad(energy, (window - 1, 0), value=float("-inf"))
        weights = past.unfold(1, window, 1).softmax(-1)  # [B, steps, T]
        cast = nn.functional.pad(votes, (0, 0, window - 1, 0)).unfold(1, window, 1)
        logits: Tensor = (cast @ weights.unsqueeze(-1)).squeeze(-1)  # [B, steps, 2]
        return logits


def convolve(mel: Tensor, networks: Sequence[TorchCRNN]) -> list[Tensor]:
    """Return `columns(mel)` of each network, by one convolution for all, which is faster.

    The networks have the same features and shape; only their GRUs may differ in size.
    """
    first = networks[0]
    weights = torch.cat([network.conv.weight for network in networks])
    biases = torch.cat([cast(Tensor, network.conv.bias) for network in networks])
    heard = first.normal(mel).transpose(1, 2).unsqueeze(1)
    maps = nn.functional.conv2d(heard, weights, biases, first.conv.stride)
    return [own.permute(0, 3, 1, 2).flatten(2) for own in maps.chunk(len(networks), dim=1)]


@dataclass
class TorchStreamState:
    """What changes while streams run; every tensor has a leading stream axis.

    Attributes:
        mel: the frames still needed by the convolution, [S, kernel_frames, mels].
        frames: number of frames so far.
        hidden: GRU state, [layers, S, hidden].
        energies: cached energies, newest last, -inf before the first step, [S, T].
        states: the hidden states that they belong to, [S, T, hidden].
        probability: the latest value, repeated until the next step, [S].

    """

    mel: Tensor
    frames: int
    hidden: Tensor
    energies: Tensor
    states: Tensor
    probability: Tensor


class StreamingCRNN(nn.Module):
    """The streaming form of a `TorchCRNN`: one mel frame in, one probability out."""

    def __init__(self, network: TorchCRNN) -> None:
        super().__init__()
        self.network = network

    def initial_state(self, streams: int = 1) -> TorchStreamState:
        """Return the state at the start of streams."""
        a = self.network.architecture
        return TorchStreamState(
            mel=torch.zeros(streams, a.kernel_frames, self.network.features.mels),
            frames=0,
            hidden=torch.zeros(a.layers, streams, a.hidden),
            energies=torch.full((streams, a.steps), float("-inf")),
            states=torch.zeros(streams, a.steps, a.hidden),
            probability=torch.zeros(streams),
        )

    @torch.no_grad()
    def forward(self, state: TorchStreamState, frame: Tensor) -> Tensor:
        """Advance by one log-mel frame [S, mels]; return the word's probability [S].

        At every stride: a convolution over the last `kernel_frames` frames, one GRU step from the
        saved hidden state, one new energy, and a softmax over it and the T - 1 cached ones. In
        between, the last value is repeated (0 before the first step).
        """
        net, a = self.network, self.network.architecture
        state.mel = torch.cat([state.mel[:, 1:], frame.unsqueeze(1)], dim=1)
        state.frames += 1
        behind = state.frames - a.kernel_frames
        if behind < 0 or behind % a.stride_frames:
            return state.probability
        output, state.hidden = net.gru(net.columns(state.mel), state.hidden)
        state.energies = torch.cat([state.energies[:, 1:], net.energy(output)[:, :, 0]], dim=1)
        state.states = torch.cat([state.states[:, 1:], output], dim=1)
        weights = state.energies.softmax(-1)
        context = (weights.unsqueeze(1) @ state.states).squeeze(1)
        state.probability = net.classifier(context).softmax(-1)[:, 1]
        return state.probability
