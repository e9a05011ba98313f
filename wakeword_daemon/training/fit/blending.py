"""Networks between a network and what it became in further training.

A network that is trained further with a few clips forgets a little of what it knew. On the line
between the weights before and after, little is forgotten and much of the new is kept (Wortsman et
al. 2022, "Robust fine-tuning of zero-shot models", arXiv:2109.01903).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy

from wakeword_daemon.training.fit.network import TorchCRNN

SHARES = (0.25, 0.5, 0.75, 1.0)
"""How far towards the trained network: 1 is that network itself."""


def between(before: TorchCRNN, after: TorchCRNN, share: float) -> TorchCRNN:
    """Return the network at a share, from 0 to 1, of the way from one to the other."""
    mixed = deepcopy(after)
    old, new = before.state_dict(), after.state_dict()
    mixed.load_state_dict({name: old[name].lerp(new[name], share) for name in new})
    return mixed


def nearest(
    before: TorchCRNN, after: TorchCRNN, mistakes: Callable[[TorchCRNN], int]
) -> tuple[TorchCRNN, float]:
    """Return the network of `SHARES` with the fewest mistakes, and its share.

    Among equals it is the one that is nearest to the network before.
    """
    best, fewest, at = after, math.inf, 1.0
    for share in SHARES:
        network = between(before, after, share)
        if (count := mistakes(network)) < fewest:
            best, fewest, at = network, count, share
        if not fewest:
            break
    return best, at
