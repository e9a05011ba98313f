"""Soft labels: other networks' outputs, from which more is learned than from yes or no.

Source: Hinton et al., "Distilling the Knowledge in a Neural Network", 2015 (arXiv:1503.02531).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def soft_loss(log_odds: Tensor, taught: Tensor, temperature: float = 1.0) -> Tensor:
    """Return the mean cross entropy at temperature T, times T², so that gradients keep their size.

    The softmax over two classes at temperature T is the logistic function of the log odds over T.

    Args:
        log_odds: log odds of the student.
        taught: log odds of its teachers, of the same shape.
        temperature: T, above 0.

    """
    target = torch.sigmoid(taught / temperature)
    loss = functional.binary_cross_entropy_with_logits(log_odds / temperature, target)
    return loss * temperature**2


def divergence(log_odds: Tensor, taught: Tensor) -> Tensor:
    """Return how far networks are from what they are taught.

    Args:
        log_odds: log odds of P networks, [P, B, steps].
        taught: log odds to come near to, [B, steps].

    Returns:
        the KL divergence of a sequence, summed over its steps, [P].

    """
    least = soft_loss(taught, taught)
    return torch.stack([soft_loss(own, taught) - least for own in log_odds]) * log_odds.shape[-1]
