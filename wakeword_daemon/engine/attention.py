"""Attention over the last T steps, and the classifier behind it, of one or more words.

Source: Shan et al. 2018 (arXiv:1803.10916): the energy of a step is a small network of its hidden
state, softmax of the T energies weighs the hidden states, and a linear classifier judges their sum.

The classifier is linear, so it is applied to each hidden state before they are summed: that is the
step's vote. The window holds two numbers a step instead of a hidden state, and every exp is
computed once.
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
    """The window of a running stream, and the room that a step works in.

    Attributes:
        hidden: the last layer's hidden state with a 1 behind it, [words, 1, hidden + 1].
        product: what it gives, [words, 1, attention + 1].
        inner, vote: its parts, the energies' inner layer [words, attention] and the vote [words].
        window: exp of the last T energies, and the votes times it; 0 where nothing was heard; in
            the order of a ring, [T, 2, words].
        places: of the window one view a step: both, the weight and the vote.
        rows: the same, [T, 2 * words].
        sums: over the window, [2 * words].
        weight, margin: its halves, [words].
        newest: where in the ring the newest step lies.

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
    margin: Array
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

    def shares(self) -> Array:
        """Return how the last step shared its attention out: [T, words], summing to 1.

        The step itself is last, the one before it next to last; 0 where nothing was heard.
        """
        weights = np.roll(self.window[:, 0], -1 - self.newest, axis=0)
        total = weights.sum(axis=0)
        shares: Array = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
        return shares


@dataclass(slots=True)
class Attention:
    """The weights of every word.

    Attributes:
        inner: the energies' inner layer and, as the last column, the vote,
            [words, hidden + 1, attention + 1].
        outer: the energies' outer layer, [words, attention].
        ones: what sums over the window, [T].

    """

    inner: Array
    outer: Array
    ones: Array

    @classmethod
    def from_stack(cls, stack: Mapping[str, Array], steps: int) -> Attention:
        """Take them out of the stacked weights of all words, in torch's layout."""
        # Softmax over two classes is the logistic function of their difference; half of that is
        # the vote, for the tanh of half an argument as in `gru`. As attention's weights sum to 1,
        # the classifier's bias may be part of each vote.
        classifier = with_bias(stack, "classifier.weight", "classifier.bias")
        vote = (classifier[:, 1:] - classifier[:, :1]) / 2
        inner = with_bias(stack, "energy.0.weight", "energy.0.bias")
        rows = np.concatenate([inner, vote], axis=1)
        # Softmax does not see what all energies have in common: their outer layer needs no bias.
        outer = stack["energy.2.weight"][:, 0]
        return cls(np.ascontiguousarray(rows.swapaxes(1, 2)), outer, np.ones(steps, np.float32))

    def step(self, s: AttentionState, probabilities: Array) -> None:
        """Take the newest hidden state into the window and set `probabilities` [words]."""
        np.matmul(s.hidden, self.inner, out=s.product)
        np.tanh(s.inner, out=s.inner)
        s.newest = (s.newest + 1) % len(s.places)
        weight, vote = s.places[s.newest]
        np.vecdot(s.inner, self.outer, out=weight)
        np.exp(weight, out=weight)
        np.multiply(weight, s.vote, out=vote)
        np.dot(self.ones, s.rows, out=s.sums)  # softmax does not care for order
        s.margin /= s.weight
        np.tanh(s.margin, out=s.margin)
        s.margin += ONE
        np.multiply(s.margin, HALF, out=probabilities)
