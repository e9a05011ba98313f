"""Networks of one word that train side by side and learn from each other; the first one ships.

With few takes much is left to chance: networks that differ only in their first weights miss
different strangers, and their mean misses fewer. Each of them can learn what they agree on (deep
mutual learning: Zhang et al. 2018, arXiv:1706.00384; codistillation: Anil et al. 2018,
arXiv:1804.03235), so that one network comes close to what all would achieve together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from wakeword_daemon.training.fit.network import TorchCRNN, convolve
from wakeword_daemon.training.fit.softlabels import divergence
from wakeword_daemon.training.fit.word_classifier import MultiTaskCRNN


class Peers(nn.Module):
    """P networks with the same input; some may have wider GRUs than others."""

    def __init__(self, networks: list[MultiTaskCRNN]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    @property
    def first(self) -> TorchCRNN:
        """The network that ships."""
        return cast(MultiTaskCRNN, self.networks[0]).network

    def forward(
        self, mel: Tensor, states: Sequence[Tensor] | None
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Classify every step of streams [B, F, mels] by every network, each with its own state.

        Args:
            mel: log-mel frames.
            states: of each network, [layers, B, hidden]; None at the start of the streams.

        Returns:
            what `MultiTaskCRNN.forward` returns: both logits stacked along a leading axis of P, and
            the states of all networks.

        """
        befores = [None] * len(self.networks) if states is None else list(states)
        columns = convolve(mel, [cast(MultiTaskCRNN, own).network for own in self.networks])
        heard = [
            network(own, before)
            for network, own, before in zip(self.networks, columns, befores, strict=True)
        ]
        logits, names, afters = zip(*heard, strict=True)
        return torch.stack(logits), torch.stack(names), list(afters)


def peer_loss(log_odds: Tensor) -> Tensor:
    """Return how far each network is from the mean log odds of all.

    Args:
        log_odds: [P, B, steps].

    Returns:
        the KL divergence of a sequence, summed over its steps, [P]; no gradient flows into the
        mean.

    """
    return divergence(log_odds, log_odds.detach().mean(dim=0))
