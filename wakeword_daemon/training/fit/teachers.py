"""Finished networks of the same word, which a network learns from beside the labels.

One network may hear the word where another misses it, and they make different false accepts. So
where the word is said, the teacher with the highest score teaches, and elsewhere the mean of all
teachers; the result can be better than each of them. (Distillation from an ensemble: Hinton et al.
2015, arXiv:1503.02531; taking the maximum at the word is our own.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from wakeword_daemon.training.fit.network import TorchCRNN


class Teachers(nn.Module):
    """T networks with the same input, whose weights stay as they are; their widths may differ.

    Their log-odds must have one scale, as those of model files have: 0 is the default threshold.
    """

    def __init__(self, networks: Sequence[TorchCRNN]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.requires_grad_(False)
        self.eval()

    def forward(self, mel: Tensor, states: Sequence[Tensor] | None) -> tuple[Tensor, list[Tensor]]:
        """Return the log-odds of every step by every teacher, [T, B, steps], and all states.

        Args:
            mel: log-mel frames [B, F, mels].
            states: of each network, [layers, B, hidden]; None at the start of the streams.

        """
        befores = [None] * len(self.networks) if states is None else list(states)
        said: list[Tensor] = []
        afters: list[Tensor] = []
        with torch.no_grad():
            for module, before in zip(self.networks, befores, strict=True):
                network = cast(TorchCRNN, module)
                hidden, after = network.listen(network.columns(mel), before)
                logits = network.decide(hidden)
                said.append(logits[..., 1] - logits[..., 0])
                afters.append(after)
        return torch.stack(said), afters


def taught(log_odds: Tensor, near_word: Tensor) -> Tensor:
    """Return what is to be learned from teachers: log-odds [B, steps].

    Args:
        log_odds: by every teacher, [T, B, steps].
        near_word: which steps are near a word that is spoken, bool[B, steps].

    """
    return torch.where(near_word, log_odds.amax(dim=0), log_odds.mean(dim=0))
