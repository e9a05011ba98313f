"""The streaming attention CRNN in numpy.

Source: Shan et al. 2018 (arXiv:1803.10916), run one step at a time: convolve when the stride
allows, one GRU step from the saved hidden state, one new energy, softmax over it and the T - 1
cached ones, classify; between strides the last value is repeated.
`wakeword_daemon.training.fit.network.StreamingCRNN` is the specification; the two agree to 1e-4.

A step is so small that each call of numpy costs more than its arithmetic. So the calls are few and
write to room that the state keeps, and its views are made once. The convolution's bias passes
through the GRU's matrix when the weights are loaded; see also `gru` and `attention`.

`CRNN` holds weights and never changes; `StreamState` holds all that does.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from wakeword_daemon.engine.arrays import Array
from wakeword_daemon.engine.attention import Attention, AttentionState
from wakeword_daemon.engine.gru import GRULayer, GRUState
from wakeword_daemon.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wakeword_daemon.engine.settings import Architecture, FeatureSettings


@dataclass(slots=True)
class StreamState:
    """What changes while streams run, and the room that a step works in.

    Attributes:
        frames: log-mel frames that the next step still needs, [streams, < kernel_frames, mels].
        own_frames: frames heard since each stream began or was reset, [streams].
        patches: what the kernel covers at each band, [streams, bands, kernel_mels * kernel_frames].
        maps: output of the convolution, [streams * bands, words * channels].
        columns: where it lies as the first layer's input, [streams, bands, words, channels].
        layers: each GRU layer's.
        attention: the window's.
        probabilities: the last values, [words, streams].
        beginning: whether any stream has yet to hear its first kernel.

    """

    frames: Array
    own_frames: npt.NDArray[np.int64]
    patches: Array
    maps: Array
    columns: Array
    layers: list[GRUState]
    attention: AttentionState
    probabilities: Array
    beginning: bool = True

    def reset(self, streams: npt.NDArray[np.bool_] | None = None) -> None:
        """Forget what the streams heard: those where the mask [streams] is True, or all.

        Resetting all also restarts the stride, exactly as a new state would. A stream that is
        reset alone keeps step with the others and scores 0 until it has heard a whole kernel.
        """
        if streams is None:
            streams = np.ones(len(self.own_frames), bool)
            self.frames = self.frames[:, :0]
            self.attention.newest = 0
        self.own_frames[streams] = 0
        self.beginning = True
        self.silence(streams)

    def silence(self, streams: npt.NDArray[np.bool_]) -> None:
        """Empty the networks of the streams where the mask [streams] is True."""
        for layer in self.layers:
            layer.hidden[:, streams] = 0
        self.attention.window[..., streams] = 0
        self.probabilities[:, streams] = 0


class CRNN:
    """The weights of one or more words of the same shape, run together.

    Words are stacked along an axis of their own, so that all of them cost one call: they share the
    features and one wide matrix for the convolution, and their other matrices are multiplied in
    one batch.

    Raises:
        ModelError: weights are missing or do not fit the architecture.

    """

    def __init__(
        self,
        architecture: Architecture,
        features: FeatureSettings,
        words: Sequence[Mapping[str, Array]],
    ) -> None:
        self.architecture = a = architecture
        self.features = features
        self._bands = a.bands(features)
        for weights in words:
            _check_shapes(weights, weight_shapes(a, features))
        stack = {name: np.stack([w[name] for w in words]) for name in words[0]}
        self._words = len(words)
        # Where each band finds what its kernel covers, in kernel_frames frames end to end.
        mels = np.arange(self._bands)[:, None] * a.stride_mels + np.arange(a.kernel_mels)
        at = mels[..., None] + np.arange(a.kernel_frames) * features.mels
        self._patches = at.reshape(self._bands, -1)
        # One matrix [kernel_mels * kernel_frames, words * channels] multiplies the patches.
        kernel = stack["conv.weight"].reshape(self._words * a.channels, -1)
        self._kernel = np.ascontiguousarray(kernel.T)
        self._gru = [GRULayer.of(stack, layer) for layer in range(a.layers)]
        self._gru[0].take_columns(stack["conv.bias"], self._bands)
        self._attention = Attention.of(stack, a.steps)

    def initial_state(self, streams: int = 1) -> StreamState:
        """Return the state of streams that have heard nothing."""
        a, words, bands = self.architecture, self._words, self._bands
        inputs, size = bands * a.channels, a.hidden
        # What is multiplied lies side by side, each part with a 1 behind it for the biases:
        # columns, 1, hidden state of the first layer, 1, hidden state of the second layer, 1.
        line = np.zeros((words, streams, inputs + 1 + a.layers * (size + 1)), np.float32)
        line[..., inputs :: size + 1] = 1
        columns = line[..., :inputs].reshape(words, streams, bands, a.channels)
        begins = [0, *range(inputs + 1, line.shape[-1], size + 1)]
        return StreamState(
            frames=np.empty((streams, 0, self.features.mels), np.float32),
            own_frames=np.zeros(streams, np.int64),
            patches=np.empty((streams, *self._patches.shape), np.float32),
            maps=np.empty((streams * bands, words * a.channels), np.float32),
            columns=columns.transpose(1, 2, 0, 3),
            layers=[
                GRUState.of(line[..., start : own + size], size) for start, own in pairwise(begins)
            ],
            attention=AttentionState.of(line[..., -size - 1 :], a.attention, a.steps),
            probabilities=np.zeros((words, streams), np.float32),
        )

    def packed(self) -> tuple[npt.NDArray[np.int32], Array, Array]:
        """Return shape, weights and the state of a new stream as the step in C takes them."""
        a = self.architecture
        shape = (
            self._words, self.features.mels, self._bands, a.channels, a.kernel_mels,
            a.kernel_frames, a.stride_mels, a.stride_frames, a.hidden, a.layers, a.attention,
            a.steps,
        )  # fmt: skip
        parts = [self._kernel]
        for word in range(self._words):
            parts += [layer.weights[word] for layer in self._gru]
            parts += [self._attention.inner[word], self._attention.outer[word]]
        inputs = self._bands * a.channels
        lines = np.zeros((self._words, inputs + 1 + a.layers * (a.hidden + 1)), np.float32)
        lines[:, inputs :: a.hidden + 1] = 1
        patch = a.kernel_mels * a.kernel_frames + self._words * a.channels
        room = max(patch, 4 * a.hidden, a.attention + 1)
        before = np.zeros(a.kernel_frames * self.features.mels, np.float32)
        after = np.zeros(self._words * a.steps * 2 + room, np.float32)
        return (
            np.array(shape, np.int32),
            np.concatenate([part.ravel() for part in parts]),
            np.concatenate([before, lines.ravel(), after]),
        )

    def advance(self, state: StreamState, frames: Array) -> Array:
        """Hear log-mel frames [streams, F, mels] and return a probability for each of them.

        Returns:
            [streams, words, F]; where the stride allows no step the last value is repeated, 0
            before the first.

        """
        before = state.probabilities.T[:, :, None].copy()
        values, steps = self.steps(state, frames)
        columns = np.concatenate([before, values], axis=2)
        lengths = np.diff([0, *steps, frames.shape[1]])
        return columns.repeat(lengths, axis=2)

    def steps(self, state: StreamState, frames: Array) -> tuple[Array, range]:
        """Hear log-mel frames [streams, F, mels] and make the steps that they allow.

        Returns:
            probabilities [streams, words, steps], and the frame that completes each step, counted
            from the first of `frames`.

        """
        a = self.architecture
        count = frames.shape[1]
        completing = range(a.kernel_frames - 1 - state.frames.shape[1], count, a.stride_frames)
        heard = np.concatenate((state.frames, frames), axis=1)
        values = np.empty((len(completing), *state.probabilities.shape), np.float32)
        for index, frame in enumerate(completing):
            start = index * a.stride_frames
            self._step(state, heard[:, start : start + a.kernel_frames])
            if state.beginning:
                # Where the kernel still covers what lies before a reset, nothing was heard.
                state.silence(state.own_frames + (frame + 1) < a.kernel_frames)
            values[index] = state.probabilities
        if state.beginning:
            state.own_frames += count
            state.beginning = bool(state.own_frames.min() < a.kernel_frames)
        state.frames = heard[:, len(completing) * a.stride_frames :].copy()
        return values.transpose(2, 1, 0), completing

    def _step(self, state: StreamState, frames: Array) -> None:
        """Make one step from the frames under the kernel, [streams, kernel_frames, mels]."""
        flat = frames.reshape(len(frames), -1)
        flat.take(self._patches, axis=1, out=state.patches, mode="clip")  # no index needs the clip
        np.dot(state.patches.reshape(len(state.maps), -1), self._kernel, out=state.maps)
        state.columns[...] = state.maps.reshape(state.columns.shape)
        for layer, layer_state in zip(self._gru, state.layers, strict=True):
            layer.step(layer_state)
        self._attention.step(state.attention, state.probabilities)


def weight_shapes(a: Architecture, features: FeatureSettings) -> dict[str, tuple[int, ...]]:
    """Return the name and shape of every weight of a network, in torch's layout."""
    shapes: dict[str, tuple[int, ...]] = {
        "conv.weight": (a.channels, 1, a.kernel_mels, a.kernel_frames),
        "conv.bias": (a.channels,),
    }
    for layer in range(a.layers):
        inputs = a.hidden if layer else a.channels * a.bands(features)
        shapes |= {
            f"gru.weight_ih_l{layer}": (3 * a.hidden, inputs),
            f"gru.weight_hh_l{layer}": (3 * a.hidden, a.hidden),
            f"gru.bias_ih_l{layer}": (3 * a.hidden,),
            f"gru.bias_hh_l{layer}": (3 * a.hidden,),
        }
    return shapes | {
        "energy.0.weight": (a.attention, a.hidden),
        "energy.0.bias": (a.attention,),
        "energy.2.weight": (1, a.attention),
        "energy.2.bias": (1,),
        "classifier.weight": (2, a.hidden),
        "classifier.bias": (2,),
    }


def _check_shapes(weights: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]) -> None:
    for name, shape in shapes.items():
        found = weights[name].shape if name in weights else "nothing"
        if found != shape:
            raise ModelError(f"the weight {name} should have the shape {shape}, but has {found}")
