"""The loss of detecting one word in streams: on steps, not on clips."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wakeword_daemon.engine.settings import Architecture
from wakeword_daemon.training.fit.sequences import Sequences

# Frames around the end of a word: where the network must, may and must not fire.
EARLIEST = 6
LATEST = 25
"""With 45 the network fires twice as late after the word, and misses more."""
UNDECIDED_BEFORE = 14
UNDECIDED_AFTER = 60
"""After it the score must have fallen, so that the word can be detected again."""
HARDEST = 3
HARDEST_WEIGHT = 2.0
BEST = 2

WHOLE = slice(None)


def stream_loss(
    logits: Tensor, sequences: Sequences, architecture: Architecture, share: slice = WHOLE
) -> Tensor:
    """Return the loss of one batch.

    Each time that the word is spoken, the network must fire at its best two steps from 60 ms
    before the end of the word to 250 ms after it (max-pooling; two, so that a score does not hang
    on how the strides happen to fall). Every step that is neither there nor just around it is
    negative: all of them by their mean, and the hardest three of a sequence by theirs, which
    counts twice, since few false accepts in hours are the goal.

    Args:
        logits: [B, steps, 2], of those sequences that are one process's share of the batch.
        sequences: the whole batch.
        architecture: tells at which frame a step ends.
        share: which of the sequences `logits` are of; the losses of all shares, which are equally
            large, have the loss of the batch as their mean.

    """
    log_odds = logits[..., 1] - logits[..., 0]
    device = log_odds.device
    rows, after = _after_words(sequences, architecture, log_odds.shape[1], device)
    target = (after >= -EARLIEST) & (after <= LATEST)
    near = _near_words(rows, after, len(sequences))
    shares = len(sequences) / len(log_odds)
    rejected = nn.functional.softplus(log_odds).masked_fill(near[share], 0.0)
    mean = rejected.sum() / ((~near).sum() / shares)
    hardest = rejected.topk(HARDEST, dim=1).values.mean()
    place = torch.full((len(sequences),), -1, device=device)
    place[share] = torch.arange(len(log_odds), device=device)
    own = place[rows] >= 0
    heard = log_odds[place[rows[own]]].masked_fill(~target[own], -torch.inf)
    best = heard.topk(BEST, dim=1).values
    missed = nn.functional.softplus(-best).sum() / (max(1, len(rows)) * BEST / shares)
    return missed + mean + HARDEST_WEIGHT * hardest


def near_word(
    sequences: Sequences, architecture: Architecture, steps: int, device: torch.device
) -> Tensor:
    """Return which steps are at the end of the word or around it, bool[sequences, steps]."""
    rows, after = _after_words(sequences, architecture, steps, device)
    return _near_words(rows, after, len(sequences))


def _after_words(
    sequences: Sequences, architecture: Architecture, steps: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return the sequence of each spoken word, [words], and where steps end relative to its end.

    The latter are frames, [words, steps], below zero before the end of the word.
    """
    word = sequences.spoken.detected()
    ends = torch.arange(steps, device=device) * architecture.stride_frames
    stops = torch.from_numpy(word.stops).to(device).unsqueeze(1)
    return torch.from_numpy(word.rows).to(device), ends + architecture.kernel_frames - stops


def _near_words(rows: Tensor, after: Tensor, sequences: int) -> Tensor:
    around = (after >= -UNDECIDED_BEFORE) & (after <= UNDECIDED_AFTER)
    near = torch.zeros(sequences, after.shape[1], dtype=torch.int64, device=after.device)
    return near.index_add(0, rows, around.long()) > 0
