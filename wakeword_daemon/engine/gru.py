"""One layer of gated recurrent units, of one or more words, a step at a time.

Source: Cho et al. 2014 (arXiv:1406.1078), in the variant of `torch.nn.GRU`:

    reset  = logistic(...)     candidate = tanh(W x + b + reset * (U h + c))
    update = logistic(...)     h = candidate + update * (h - candidate)

The logistic function of x is computed as (1 + tanh(x / 2)) / 2, which cannot overflow. With
reset = (1 + t) / 2 the candidate is tanh((W x + b + (U h + c) / 2) + t * (U h + c) / 2). So one
product of [x, 1, h] with one matrix gives everything: half the arguments of both gates, and both
terms of the candidate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wakeword_daemon.engine.arrays import HALF, ONE, Array, with_bias

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(slots=True)
class GRUState:
    """The hidden state of one layer in a running stream, and the buffers that a step uses.

    Attributes:
        input: the layer's input, a 1 and its hidden state side by side,
            [words, 1, inputs + 1 + hidden].
        hidden: view of the hidden state at the end of `input`.
        product: `input` times the weights, [words, 1, 4 * hidden].
        gates: view of the first half of `product`, for the reset and the update gate.
        reset, update, candidate, recurrent: views of its quarters, [words, 1, hidden].

    """

    input: Array
    hidden: Array
    product: Array
    gates: Array
    reset: Array
    update: Array
    candidate: Array
    recurrent: Array

    @classmethod
    def from_input(cls, line: Array, size: int) -> GRUState:
        """Make the state of a layer of `size` units whose `input` is `line`."""
        product = np.empty((*line.shape[:2], 4 * size), np.float32)
        quarters = (product[..., start : start + size] for start in range(0, 4 * size, size))
        return cls(line, line[..., -size:], product, product[..., : 2 * size], *quarters)


@dataclass(slots=True)
class GRULayer:
    """The weights of one layer of every word: [words, inputs + 1 + hidden, 4 * hidden]."""

    weights: Array

    @classmethod
    def from_stack(cls, stack: Mapping[str, Array], layer: int) -> GRULayer:
        """Take one layer from the stacked weights of all words, in torch's layout."""
        of_input = with_bias(stack, f"gru.weight_ih_l{layer}", f"gru.bias_ih_l{layer}")
        of_hidden = with_bias(stack, f"gru.weight_hh_l{layer}", f"gru.bias_hh_l{layer}")
        words, _, inputs = of_input.shape
        size = of_hidden.shape[2] - 1
        terms = np.zeros((words, 4 * size, inputs + size), np.float32)
        terms[:, : 3 * size, :inputs] = of_input
        terms[:, : 2 * size] /= 2
        # The column of the biases is between those of the input and those of the hidden state.
        halves = np.roll(of_hidden, 1, axis=2) / 2
        terms[:, : 3 * size, inputs - 1 :] += halves
        terms[:, 3 * size :, inputs - 1 :] = halves[:, 2 * size :]
        return cls(np.ascontiguousarray(terms.swapaxes(1, 2)))

    def take_columns(self, conv_bias: Array, bands: int) -> None:
        """Change the weights to take the convolution's output band by band and without its bias.

        Args:
            conv_bias: the bias that is missing in that output, [words, channels].
            bands: positions of the convolution along the mel axis.

        """
        words, channels = conv_bias.shape
        inputs = channels * bands
        by_channel = self.weights[:, :inputs].reshape(words, channels, bands, -1)
        self.weights[:, inputs] += np.einsum("wcbg,wc->wg", by_channel, conv_bias)
        self.weights[:, :inputs] = by_channel.swapaxes(1, 2).reshape(words, inputs, -1)

    def step(self, s: GRUState) -> None:
        """Advance the hidden state by one step."""
        np.matmul(s.input, self.weights, out=s.product)
        np.tanh(s.gates, out=s.gates)
        s.recurrent *= s.reset
        s.candidate += s.recurrent
        np.tanh(s.candidate, out=s.candidate)
        s.update += ONE
        s.update *= HALF
        s.hidden -= s.candidate
        s.hidden *= s.update
        s.hidden += s.candidate
