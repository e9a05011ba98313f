"""The outputs of networks and of teachers for clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm import tqdm

from wakeword_daemon.engine.settings import Architecture
from wakeword_daemon.lab.views import Views
from wakeword_daemon.training.data.cache import cached
from wakeword_daemon.training.fit.network import TorchCRNN

BATCH = 256


@dataclass(frozen=True, slots=True)
class Answers:
    """The outputs of a network, or the mean of several, for clips.

    Attributes:
        log_odds: log odds of the word, [clips].
        attention: attention weights over the steps, [clips, steps].

    """

    log_odds: Tensor
    attention: Tensor

    def pick(self, rows: npt.NDArray[np.int64]) -> Answers:
        """Return the answers for some of the clips."""
        return Answers(self.log_odds[rows], self.attention[rows])


def answer(network: TorchCRNN, mel: Tensor) -> tuple[Tensor, Tensor]:
    """Classify clips [B, F, mels] as `TorchCRNN.forward` does.

    Returns:
        log odds [B], and the logarithm of the attention [B, steps].

    """
    hidden, _ = network.listen(network.columns(mel), None)
    log_attention = network.energy(hidden).squeeze(-1).log_softmax(-1)
    context = (log_attention.exp().unsqueeze(1) @ hidden).squeeze(1)
    logits = network.classifier(context)
    return logits[:, 1] - logits[:, 0], log_attention


@torch.no_grad()
def log_odds_of(classify: Callable[[Tensor], Tensor], mel: npt.NDArray[np.float32]) -> Tensor:
    """Return the log odds [clips] of a function from clips to logits [B, 2]."""
    parts = [classify(torch.from_numpy(mel[i : i + BATCH])) for i in range(0, len(mel), BATCH)]
    logits = torch.cat(parts)
    return logits[:, 1] - logits[:, 0]


class Teachers:
    """Networks of one architecture, from whose mean answers students learn.

    Args:
        networks: the teachers.
        views: the views that they answer.
        folder: where their answers are kept; its name must identify these teachers.

    """

    def __init__(self, networks: Sequence[TorchCRNN], views: Views, folder: Path) -> None:
        self._networks = networks
        self._views = views
        self._folder = folder
        self._number = -1
        self._answers: Answers | None = None

    @property
    def architecture(self) -> Architecture:
        """The architecture of the teachers."""
        return self._networks[0].architecture

    def ask(self, view: int) -> Answers:
        """Return the answers for a view; they are computed once and kept."""
        if view != self._number or self._answers is None:
            arrays = cached(self._folder, "view", str(view), lambda: self._ask(view))
            self._answers = Answers(
                torch.tensor(arrays["log_odds"]), torch.tensor(arrays["attention"])
            )
            self._number = view
        return self._answers

    @torch.no_grad()
    def _ask(self, view: int) -> dict[str, npt.NDArray[np.float32]]:
        log_odds: list[Tensor] = []
        attention: list[Tensor] = []
        starts = range(0, len(self._views), BATCH)
        for start in tqdm(
            starts, desc=f"teachers, view {view}", unit="batch", leave=False, disable=None
        ):
            stop = min(start + BATCH, len(self._views))
            mel = self._views.samples(view, np.arange(start, stop))
            each = [answer(network, mel) for network in self._networks]
            log_odds.append(torch.stack([m for m, _ in each]).mean(0))
            attention.append(torch.stack([a.exp() for _, a in each]).mean(0))
        return {
            "log_odds": torch.cat(log_odds).numpy(),
            "attention": torch.cat(attention).numpy(),
        }
