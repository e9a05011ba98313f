"""The networks of one or more words of the same shape, run together in numpy.

Words are stacked along a leading axis, so that one call serves all of them. They share the features
and one wide matrix for the convolution; their other matrices are multiplied as a batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from wakeword_daemon.engine.arrays import Array, with_bias
from wakeword_daemon.engine.attention import Attention, AttentionState
from wakeword_daemon.engine.gru import GRULayer, GRUState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakeword_daemon.engine.crnn import CRNN


@dataclass(slots=True)
class StackedState:
    """The state of a stream, and the buffers that a step uses.

    Attributes:
        patches: view of the stream's history: what the kernel covers at each band,
            [bands, kernel_mels * kernel_frames].
        covered: buffer for a copy of the patches, because BLAS needs them contiguous.
        maps: output of the convolution, [bands, words * channels].
        maps_by_word: view of the same, [words, bands, channels].
        columns: view of the first layer's input, to which the maps are copied,
            [words, bands, channels].
        layers: state of each GRU layer.
        attention: state of the attention.
        probabilities: those of the last step, [words].

    """

    patches: Array
    covered: Array
    maps: Array
    maps_by_word: Array
    columns: Array
    layers: list[GRUState]
    attention: AttentionState
    probabilities: Array

    def reset(self) -> None:
        """Forget everything."""
        for layer in self.layers:
            layer.hidden[:] = 0
        self.attention.window[:] = 0
        self.attention.newest = 0


class StackedWords:
    """The weights of words of the same shape."""

    def __init__(self, networks: Sequence[CRNN]) -> None:
        self.architecture = a = networks[0].architecture
        self._bands = a.bands(networks[0].features)
        self._words = len(networks)
        stack = {
            name: np.stack([np.asarray(network.weights[name]) for network in networks])
            for name in networks[0].weights
        }
        # One matrix [kernel_mels * kernel_frames, words * channels] multiplies the patches.
        kernel = stack["conv.weight"].reshape(self._words * a.channels, -1)
        self._kernel = np.ascontiguousarray(kernel.T)
        self._gru = [GRULayer.from_stack(stack, layer) for layer in range(a.layers)]
        self._gru[0].take_columns(stack["conv.bias"], self._bands)
        self._attention = self._scores = None
        if a.outputs > 1:  # [words, hidden + 1, outputs]
            self._scores = with_bias(stack, "scores.weight", "scores.bias").swapaxes(1, 2)
        else:
            self._attention = Attention.from_stack(stack, a.steps)

    def initial_state(self, history: Array) -> StackedState:
        """Return the state of a new stream.

        Args:
            history: the log-mel frames under the kernel, [mels, kernel_frames], contiguous; the
                stream keeps them and changes them in place.

        """
        a, words, bands = self.architecture, self._words, self._bands
        inputs, size = bands * a.channels, a.hidden
        # The layers' inputs lie side by side, each followed by a 1 for the biases:
        # columns, 1, hidden state of the first layer, 1, hidden state of the second layer, 1.
        line = np.zeros((words, 1, inputs + 1 + a.layers * (size + 1)), np.float32)
        line[..., inputs :: size + 1] = 1
        columns = line[:, 0, :inputs].reshape(words, bands, a.channels)
        begins = [0, *range(inputs + 1, line.shape[-1], size + 1)]
        number, row = history.itemsize, history.strides[0]
        patches = np.ndarray(
            (bands, len(self._kernel)), np.float32, history, 0, (a.stride_mels * row, number)
        )
        maps = np.empty((bands, words * a.channels), np.float32)
        return StackedState(
            patches=patches,
            covered=np.empty(patches.shape, np.float32),
            maps=maps,
            maps_by_word=maps.reshape(bands, words, a.channels).swapaxes(0, 1),
            columns=columns,
            layers=[
                GRUState.from_input(line[..., start : own + size], size)
                for start, own in pairwise(begins)
            ],
            attention=AttentionState.from_hidden(line[..., -size - 1 :], a.attention, a.steps),
            probabilities=np.zeros(words, np.float32),
        )

    def step(self, s: StackedState) -> list[float]:
        """Run one step on the frames under the kernel; return each word's outputs."""
        s.covered[:] = s.patches
        np.dot(s.covered, self._kernel, out=s.maps)
        s.columns[:] = s.maps_by_word
        for layer, state in zip(self._gru, s.layers, strict=True):
            layer.step(state)
        if self._scores is not None:
            outputs: list[float] = np.matmul(s.attention.hidden, self._scores).ravel().tolist()
            return outputs
        assert self._attention is not None  # noqa: S101 -- one of both is there
        self._attention.step(s.attention, s.probabilities)
        probabilities: list[float] = s.probabilities.tolist()
        return probabilities
