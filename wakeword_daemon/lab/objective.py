"""The loss of a student: the labels, its teachers' answers, and their attention.

Distillation: Hinton et al. 2015 (arXiv:1503.02531). Attention distillation: the KL divergence
between the attention of teacher and student, as distributions over time.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from wakeword_daemon.engine.settings import Architecture
from wakeword_daemon.lab.answers import Answers
from wakeword_daemon.training.fit.softlabels import soft_loss


@dataclass(frozen=True, slots=True)
class Objective:
    """The loss, a weighted sum.

    Attributes:
        temperature: T, by which log odds are divided before they are compared.
        weight: weight of the soft labels, 0 to 1; the labels have the rest.
        attention: weight of the KL divergence between the attentions.

    """

    temperature: float = 1.0
    weight: float = 0.0
    attention: float = 0.0

    def __call__(
        self,
        log_odds: Tensor,
        log_attention: Tensor,
        is_word: Tensor,
        taught: Answers | None,
        alignment: Tensor | None,
    ) -> Tensor:
        """Return the mean loss of a batch.

        Args:
            log_odds: the student's log odds, [B].
            log_attention: logarithm of its attention, [B, steps].
            is_word: the labels, [B].
            taught: the teachers' answers, if there are teachers.
            alignment: matrix from the teachers' steps to the student's, see `align`.

        """
        loss = functional.binary_cross_entropy_with_logits(log_odds, is_word.float())
        if taught is None or alignment is None:
            return loss
        soft = soft_loss(log_odds, taught.log_odds, self.temperature)
        loss = (1 - self.weight) * loss + self.weight * soft
        if self.attention:
            aligned = taught.attention @ alignment
            divergence = functional.kl_div(log_attention, aligned, reduction="batchmean")
            loss = loss + self.attention * divergence
        return loss


def align(teacher: Architecture, student: Architecture, frames: int) -> Tensor:
    """Return a matrix [teacher's steps, student's steps] that maps attention.

    The time of a step is the middle of its kernel. The attention on a teacher's step is divided
    between the student's two steps around it, in proportion to how near they are; before the first
    and after the last step that one gets all of it. Every row sums to 1, so a distribution stays a
    distribution, whichever of the two has more steps.
    """
    theirs, own = _middles(teacher, frames), _middles(student, frames)
    matrix = torch.zeros(len(theirs), len(own))
    position = ((theirs - own[0]) / student.stride_frames).clamp(0, len(own) - 1)
    low = position.long().clamp_max(max(0, len(own) - 2))
    share = position - low
    rows = torch.arange(len(theirs))
    matrix[rows, low] += 1 - share
    matrix[rows, (low + 1).clamp_max(len(own) - 1)] += share
    return matrix


def _middles(a: Architecture, frames: int) -> Tensor:
    count = (frames - a.kernel_frames) // a.stride_frames + 1
    return torch.arange(count) * a.stride_frames + a.kernel_frames / 2
