"""Attention over the last T steps, and the classifier behind it, of one or more words.

Source: Shan et al. 2018 (arXiv:1803.10916). A small network gives each step an energy, from its
hidden state. Softmax over the last T energies gives the weights with which the hidden states are
summed, and a linear classifier decides from the sum.

Because the classifier is linear, it is applied to each hidden state before the sum; its result is
the step's vote. So the window holds two numbers for each step instead of a hidden state, and each
exp is computed only once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wakeword_daemon.engine.arrays import HALF, ONE, Array, with_bias

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(slots=True)
class AttentionState:
    """The attention window of a running stream, and the buffers that a step uses.

    Attributes:
        hidden: hidden state of the last GRU layer, followed by a 1, [words, 1, hidden + 1].
        product: `hidden` times `Attention.inner`, [words, 1, attention + 1].
        inner, vote: views of `product`: the inner layer of the energy network, [words, attention],
            and the votes, [words].
        window: a ring buffer of the last T steps, [T, 2, words]: exp of each energy, and that times
            the vote; 0 for steps before the first.
        places: for each place in the window, a view of either number.
        rows: `window` as a matrix, [T, 2 * words].
        sums: the sums over the window, [2 * words].
        weight, log_odds: the halves of `sums`, [words].
        newest: place of the newest step in the window.

    """

    hidden: Array
    product: Array
    inner: Array
    vote: Array
    window: Array
    places: list[tuple[Array, Array]]
    rows: Array
    sums: Array
    weight: Array
    log_odds: Array
    newest: int = 0

    @classmethod
    def from_hidden(cls, hidden: Array, inner: int, steps: int) -> AttentionState:
        """Make the state for a window of `steps` steps and an inner layer of `inner` units."""
        words = len(hidden)
        product = np.empty((words, 1, inner + 1), np.float32)
        window = np.zeros((steps, 2, words), np.float32)
        rows = window.reshape(steps, -1)
        sums = np.empty_like(rows[0])
        return cls(
            hidden,
            product,
            product[:, 0, :-1],
            product[:, 0, -1],
            window,
            [(place[0], place[1]) for place in window],
            rows,
            sums,
            sums[:words],
            sums[words:],
        )

    def weights(self) -> Array:
        """Return the attention weights of the last step, [T, words]; they sum to 1.

        The oldest step comes first; the weights of steps before the first are 0.
        """
        exps = np.roll(self.window[:, 0], -1 - self.newest, axis=0)
        total = exps.sum(axis=0)
        weights: Array = np.divide(exps, total, out=np.zeros_like(exps), where=total > 0)
        return weights


@dataclass(slots=True)
class Attention:
    """The weights of the energy network and the classifier of every word.

    Attributes:
        inner: inner layer of the energy network, with the classifier as the last column,
            [words, hidden + 1, attention + 1].
        outer: outer layer of the energy network, [words, attention].
        ones: ones, [T]; their product with the window is the sum over it.

    """

    inner: Array
    outer: Array
    ones: Array

    @classmethod
    def from_stack(cls, stack: Mapping[str, Array], steps: int) -> Attention:
        """Take them from the stacked weights of all words, in torch's layout."""
        # Softmax over two classes is the logistic function of their difference. The vote is half of
        # it, because the logistic function is computed from the tanh of half its argument, as in
        # `gru`. The attention weights sum to 1, so each vote can include the classifier's bias.
        classifier = with_bias(stack, "classifier.weight", "classifier.bias")
        vote = (classifier[:, 1:] - classifier[:, :1]) / 2
        inner = with_bias(stack, "energy.0.weight", "energy.0.bias")
        rows = np.concatenate([inner, vote], axis=1)
        # Softmax ignores what all energies have in common, so the outer layer needs no bias.
        outer = stack["energy.2.weight"][:, 0]
        return cls(np.ascontiguousarray(rows.swapaxes(1, 2)), outer, np.ones(steps, np.float32))

    def step(self, s: AttentionState, probabilities: Array) -> None:
        """Add the newest hidden state to the window, and write the probabilities [words]."""
        np.matmul(s.hidden, self.inner, out=s.product)
        np.tanh(s.inner, out=s.inner)
        s.newest = (s.newest + 1) % len(s.places)
        weight, vote = s.places[s.newest]
        np.vecdot(s.inner, self.outer, out=weight)
        np.exp(weight, out=weight)
        np.multiply(weight, s.vote, out=vote)
        np.dot(self.ones, s.rows, out=s.sums)  # a sum does not depend on the order
        s.log_odds /= s.weight
        np.tanh(s.log_odds, out=s.log_odds)
        s.log_odds += ONE
        np.multiply(s.log_odds, HALF, out=probabilities)
