"""The network of speech sounds in torch: see `engine.sounds`."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from wakeword_daemon.engine.crnn import CRNN, MATRICES
from wakeword_daemon.engine.settings import Architecture, FeatureSettings
from wakeword_daemon.engine.sounds import SOUNDS, SoundNetwork
from wakeword_daemon.training.fit.gru import run_gru

ARCHITECTURE = Architecture(
    channels=16, kernel_mels=8, kernel_frames=9, stride_mels=4, stride_frames=3, hidden=128,
    layers=2, attention=1, steps=1, outputs=1 + len(SOUNDS),
)  # fmt: skip
MEAN, SPREAD = -3.5, 3.5
"""Log-mel frames are shifted and scaled by these; the engine's convolution does it."""
DROPPED = 0.1
"""Share of the last layer's units that are dropped in training."""


class OneWay(nn.Module):
    """A strided convolution, GRU layers, and a score of each step for none and every sound."""

    def __init__(self, architecture: Architecture, features: FeatureSettings) -> None:
        super().__init__()
        a = architecture
        self.conv = nn.Conv2d(
            1, a.channels, (a.kernel_mels, a.kernel_frames), (a.stride_mels, a.stride_frames)
        )
        self.gru = nn.GRU(a.channels * a.bands(features), a.hidden, a.layers, batch_first=True)
        self.scores = nn.Linear(a.hidden, a.outputs)
        self._drop = nn.Dropout(DROPPED)

    def forward(self, log_mel: Tensor) -> Tensor:
        """Return the scores of log-mel frames: [B, F, mels] → [B, steps, outputs]."""
        maps = self.conv((log_mel.transpose(1, 2).unsqueeze(1) - MEAN) / SPREAD)
        hidden, _ = run_gru(self.gru, maps.flatten(1, 2).transpose(1, 2), None)
        scores: Tensor = self.scores(self._drop(hidden))
        return scores

    def engine(self, architecture: Architecture, features: FeatureSettings) -> CRNN:
        """Return what the engine runs, its matrices rounded to what float16 holds."""
        weights = {
            name: value.detach().cpu().numpy().astype(np.float32)
            for name, value in self.state_dict().items()
        }
        kernel = weights["conv.weight"] / SPREAD
        weights["conv.bias"] = weights["conv.bias"] - kernel.sum(axis=(1, 2, 3)) * MEAN
        weights["conv.weight"] = kernel
        weights |= {
            name: one.astype(np.float16).astype(np.float32)
            for name, one in weights.items()
            if name.startswith(MATRICES)
        }
        return CRNN(architecture, features, weights)


class TorchSounds(nn.Module):
    """Two networks, whose scores are added: one hears forwards, the other backwards."""

    def __init__(self, architecture: Architecture, features: FeatureSettings) -> None:
        super().__init__()
        self.architecture, self.features = architecture, features
        self.forwards = OneWay(architecture, features)
        self.backwards = OneWay(architecture, features)

    def forward(self, log_mel: Tensor) -> Tensor:
        """Return the scores of a whole number of steps: [B, F, mels] → [B, steps, outputs]."""
        backwards: Tensor = self.backwards(log_mel.flip(1)).flip(1)
        scores: Tensor = self.forwards(log_mel) + backwards
        return scores

    def engine(self) -> SoundNetwork:
        """Return what the engine runs."""
        a, f = self.architecture, self.features
        return SoundNetwork(self.forwards.engine(a, f), self.backwards.engine(a, f))


def loss(scores: Tensor, sounds: list[Tensor]) -> Tensor:
    """Return how unlikely the sounds of each sequence are: CTC (Graves et al. 2006).

    Args:
        scores: [B, steps, outputs].
        sounds: the numbers of the sounds that are said in each sequence, from 1.

    """
    steps = torch.full((len(sounds),), scores.shape[1])
    lengths = torch.tensor([len(said) for said in sounds])
    return nn.functional.ctc_loss(
        scores.log_softmax(-1).transpose(0, 1),
        torch.cat(sounds),
        steps,
        lengths,
        zero_infinity=True,
    )
