"""An auxiliary task in training: classifying the other words of a corpus.

Few speakers say the wake word, hundreds say other words. A network that must also classify those
learns from many more speakers, and then recognizes its own word better from new speakers
(multi-task learning: Caruana 1997, doi:10.1023/A:1007379606734).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from wakeword_daemon.engine.settings import Architecture
from wakeword_daemon.training.fit.network import TorchCRNN
from wakeword_daemon.training.fit.sequences import Sequences

HEARD_STEPS = 4
"""Steps after the end of a word on which its classification is based: 320 ms."""


class MultiTaskCRNN(nn.Module):
    """A network with a word classifier on the same GRU; only training has the classifier."""

    def __init__(self, network: TorchCRNN, words: int) -> None:
        super().__init__()
        self.network = network
        self.word_head = nn.Linear(network.architecture.hidden, words)

    def forward(self, columns: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Classify every step of streams from a GRU state [layers, B, hidden].

        Args:
            columns: of the streams, as `TorchCRNN.columns` returns them.
            state: of the GRU; None at the start of the streams.

        Returns:
            logits of the word to detect, [B, steps, 2], logits of all words, [B, steps, words], and
            the last state of the GRU.

        """
        hidden, state = self.network.listen(columns, state)
        return self.network.decide(hidden), self.word_head(hidden), state


def word_classification_loss(
    names: Tensor, sequences: Sequences, architecture: Architecture, share: slice
) -> Tensor:
    """Return the cross entropy of the words in one batch, each classified by the steps after it.

    Args:
        names: logits [B, steps, words] of one process's share of the batch.
        sequences: the whole batch.
        architecture: gives the frame at which a step ends.
        share: the sequences of that share. The mean of the losses of all shares is the loss of the
            batch.

    """
    spoken = sequences.spoken
    place = np.full(len(sequences), -1)
    place[share] = np.arange(len(names))
    own = place[spoken.rows] >= 0
    device = names.device
    rows = torch.from_numpy(place[spoken.rows[own]]).to(device)
    after = -(-(spoken.stops[own] - architecture.kernel_frames) // architecture.stride_frames)
    first = torch.from_numpy(after.clip(0)).to(device)
    steps = first[:, None] + torch.arange(HEARD_STEPS, device=device)
    steps = steps.clamp(max=names.shape[1] - 1)
    logits = names[rows[:, None], steps].mean(dim=1)
    numbers = torch.from_numpy(spoken.numbers[own]).to(device)
    total = nn.functional.cross_entropy(logits, numbers, reduction="sum")
    shares = len(sequences) / len(names)
    return total * shares / max(1, len(spoken.numbers))
