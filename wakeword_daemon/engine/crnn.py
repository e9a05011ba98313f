"""The streaming attention CRNN in numpy.

Source: Shan et al. 2018 (arXiv:1803.10916), run one step at a time: convolve when the stride
allows, one GRU step from the saved hidden state, one new energy, softmax over it and the T - 1
cached ones, classify; between strides the last value is repeated.
`wakeword_daemon.training.network.StreamingCRNN` is the specification; the two agree to 1e-4.

Two things are done otherwise than they are written there, to the same result: the classifier is
linear, so it is applied to each hidden state once, before attention, and the window holds T numbers
instead of T hidden states; and the convolution's bias passes through the GRU's input matrix once.

`CRNN` holds weights and never changes; `StreamState` holds all that does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from wakeword_daemon.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wakeword_daemon.engine.settings import Architecture, FeatureSettings

Array = npt.NDArray[np.float32]

LARGEST_ENERGY = 60.0
"""exp of it, times the steps of any window, is still a float32."""


@dataclass
class StreamState:
    """What changes while streams run. All arrays but the GRU's have a leading stream axis.

    Attributes:
        frames: log-mel frames that the next step still needs, [streams, < kernel_frames, mels].
        own_frames: frames heard since each stream began or was reset, [streams].
        hidden: GRU state of each layer, [layers, words, streams, hidden].
        energies: the last T attention energies, -inf where nothing was heard, in the order of a
            ring, [streams, words, T].
        votes: what the classifier makes of the hidden states they belong to,
            [streams, words, T].
        probabilities: the last values, [streams, words].
            newest: where in the ring the newest energy lies.
        beginning: whether any stream has yet to hear its first kernel.

    """

    frames: Array
    own_frames: npt.NDArray[np.int64]
    hidden: Array
    energies: Array
    votes: Array
    probabilities: Array
    newest: int = 0
    beginning: bool = True

    def reset(self, streams: npt.NDArray[np.bool_] | None = None) -> None:
        """Forget what the streams heard: those where the mask [streams] is True, or all.

        Resetting all also restarts the stride, exactly as a new state would. A stream that is
        reset alone keeps step with the others and scores 0 until it has heard a whole kernel.
        """
        if streams is None:
            streams = np.ones(len(self.own_frames), bool)
            self.frames = self.frames[:, :0]
            self.newest = 0
        self.own_frames[streams] = 0
        self.beginning = True
        self.hidden[:, :, streams] = 0
        self.energies[streams] = -np.inf
        self.probabilities[streams] = 0


class CRNN:
    """The weights of one or more words of the same shape, run together.

    Words are stacked along an axis of their own, so that all of them cost one call: features
    and the unfolding of the convolution are shared, and the matrices of the words are multiplied
    in one batch.

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

        # One matrix [kernel_frames * kernel_mels, words * channels] unfolds into every band.
        kernel = stack["conv.weight"][:, :, 0]  # [words, channels, kernel_mels, kernel_frames]
        self._kernel = np.ascontiguousarray(
            kernel.transpose(3, 2, 0, 1).reshape(a.kernel_frames * a.kernel_mels, -1)
        )
        self._gru = [_GRULayer.of(stack, layer) for layer in range(a.layers)]
        self._gru[0].take_columns(stack["conv.bias"], self._bands)

        # Softmax over two classes is the logistic function of their difference; half of it is the
        # vote, because the logistic function of 2x is (1 + tanh x) / 2, which cannot overflow.
        vote = (stack["classifier.weight"][:, 1] - stack["classifier.weight"][:, 0]) / 2
        self._bias = (stack["classifier.bias"][:, 1] - stack["classifier.bias"][:, 0]) / 2
        # The inner layer of the energies and the vote are one product of the hidden state.
        inner = stack["energy.0.weight"].swapaxes(1, 2)
        self._attend = np.concatenate([inner, vote[:, :, None]], axis=2)
        self._attend_bias = stack["energy.0.bias"][:, None]
        self._score = np.ascontiguousarray(stack["energy.2.weight"].swapaxes(1, 2))
        self._score_bias = stack["energy.2.bias"][:, None]
        # tanh bounds the energies, so that softmax needs no shift against overflow.
        highest = np.abs(self._score).sum(axis=1) + np.abs(self._score_bias[:, 0])
        if not highest.max() < LARGEST_ENERGY:
            raise ModelError(f"attention energies up to {highest.max():.0f} cannot be computed")

    def initial_state(self, streams: int = 1) -> StreamState:
        """Return the state of streams that have heard nothing."""
        a = self.architecture
        return StreamState(
            frames=np.empty((streams, 0, self.features.mels), np.float32),
            own_frames=np.zeros(streams, np.int64),
            hidden=np.zeros((a.layers, self._words, streams, a.hidden), np.float32),
            energies=np.full((streams, self._words, a.steps), -np.inf, np.float32),
            votes=np.zeros((streams, self._words, a.steps), np.float32),
            probabilities=np.zeros((streams, self._words), np.float32),
        )

    def advance(self, state: StreamState, frames: Array) -> Array:
        """Hear log-mel frames [streams, F, mels] and return a probability for each of them.

        Returns:
            [streams, words, F]; where the stride allows no step the last value is repeated, 0
            before the first.

        """
        before = state.probabilities.copy()
        values, steps = self.steps(state, frames)
        columns = np.concatenate([before[:, :, None], values], axis=2)
        lengths = np.diff([0, *steps, frames.shape[1]])
        return columns.repeat(lengths, axis=2)

    def steps(self, state: StreamState, frames: Array) -> tuple[Array, range]:
        """Hear log-mel frames [streams, F, mels] and make the steps that they allow.

        Returns:
            probabilities [streams, words, steps], and the frame that completes each step, counted
            from the first of `frames`.

        """
        a = self.architecture
        held = state.frames.shape[1]
        heard = np.concatenate([state.frames, frames], axis=1)
        completing = range(a.kernel_frames - 1 - held, frames.shape[1], a.stride_frames)
        values = np.empty((*state.probabilities.shape, len(completing)), np.float32)
        for index, frame in enumerate(completing):
            own = state.own_frames + (frame + 1) if state.beginning else None
            self._step(state, self._columns(heard, index * a.stride_frames), own)
            values[:, :, index] = state.probabilities
        if state.beginning:
            state.own_frames += frames.shape[1]
            state.beginning = bool(state.own_frames.min() < a.kernel_frames)
        state.frames = heard[:, len(completing) * a.stride_frames :].copy()
        return values, completing

    def _columns(self, frames: Array, start: int) -> Array:
        """Convolve the frames from `start` on: [streams, F, mels] → [words, streams, inputs]."""
        a, streams = self.architecture, len(frames)
        stream, frame, mel = frames.strides
        patches = np.ndarray(  # unfolded without a copy; as_strided does the same ten times slower
            (streams, self._bands, a.kernel_frames, a.kernel_mels),
            np.float32,
            frames,
            start * frame,
            (stream, a.stride_mels * mel, frame, mel),
        ).reshape(streams * self._bands, -1)
        maps = patches @ self._kernel
        by_word = maps.reshape(streams, self._bands, self._words, a.channels)
        return by_word.transpose(2, 0, 1, 3).reshape(self._words, streams, -1)

    def _step(self, state: StreamState, x: Array, own: npt.NDArray[np.int64] | None) -> None:
        """Make one step from the convolved input [words, streams, inputs].

        `own` tells how many frames each stream has heard, where some are just beginning.
        """
        for layer, hidden in zip(self._gru, state.hidden, strict=True):
            layer.step(x, hidden)
            x = hidden
        inner = x @ self._attend
        vote = inner[:, :, -1]
        inner = inner[:, :, :-1]
        inner += self._attend_bias
        energy = np.tanh(inner, out=inner) @ self._score
        energy += self._score_bias
        state.newest = newest = (state.newest + 1) % self.architecture.steps
        state.energies[:, :, newest] = energy[:, :, 0].T
        state.votes[:, :, newest] = vote.T
        if own is None:
            self._classify(state)
            return
        # A stream whose kernel would still cover what lies before its reset hears nothing yet.
        deaf = own < self.architecture.kernel_frames
        state.hidden[:, :, deaf] = 0
        state.energies[deaf] = 0
        self._classify(state)
        state.energies[deaf] = -np.inf
        state.probabilities[deaf] = 0

    def _classify(self, state: StreamState) -> None:
        """Attend to the window and turn the weighted votes into probabilities."""
        # Softmax does not care for order, so the ring is attended to as it lies.
        weights = np.exp(state.energies)
        margin = np.vecdot(weights, state.votes)
        margin /= np.add.reduce(weights, -1)
        margin += self._bias
        probability = np.tanh(margin, out=margin)
        probability += 1.0
        np.multiply(probability, 0.5, out=state.probabilities)


@dataclass
class _GRULayer:
    """One GRU layer of every word; gates in torch's order: reset, update, new."""

    input: Array  # [words, inputs, 3 * hidden]
    input_bias: Array  # [words, 1, 3 * hidden]
    recurrent: Array  # [words, hidden, 3 * hidden]
    recurrent_bias: Array  # [words, 1, hidden], of the new gate only

    @classmethod
    def of(cls, stack: Mapping[str, Array], layer: int) -> _GRULayer:
        """Take one layer out of the stacked weights of all words."""
        size = stack[f"gru.weight_hh_l{layer}"].shape[-1]
        scale = np.repeat(np.array([0.5, 0.5, 1.0], np.float32), size)[:, None]  # see `step`
        weight = stack[f"gru.weight_ih_l{layer}"] * scale
        recurrent = stack[f"gru.weight_hh_l{layer}"] * scale
        bias = stack[f"gru.bias_ih_l{layer}"] * scale[:, 0]
        recurrent_bias = stack[f"gru.bias_hh_l{layer}"] * scale[:, 0]
        # Only the new gate multiplies its recurrent half; the others' biases add up.
        bias[:, : 2 * size] += recurrent_bias[:, : 2 * size]
        return cls(
            np.ascontiguousarray(weight.swapaxes(1, 2)),
            bias[:, None],
            np.ascontiguousarray(recurrent.swapaxes(1, 2)),
            recurrent_bias[:, None, 2 * size :],
        )

    def take_columns(self, conv_bias: Array, bands: int) -> None:
        """Take columns of the convolution, band by band and without its bias, as input.

        Args:
            conv_bias: the bias that the columns lack, [words, channels].
            bands: positions of the convolution along the mel axis.

        """
        words, _, gates = self.input.shape
        by_channel = self.input.reshape(words, -1, bands, gates)
        self.input_bias = self.input_bias + np.einsum("wcbg,wc->wg", by_channel, conv_bias)[:, None]
        self.input = np.ascontiguousarray(by_channel.swapaxes(1, 2).reshape(words, -1, gates))

    def step(self, x: Array, hidden: Array) -> None:
        """Advance `hidden` [words, streams, hidden] in place by the input [words, streams, n]."""
        size = hidden.shape[-1]
        gates = x @ self.input
        gates += self.input_bias
        recurrent = hidden @ self.recurrent
        both = gates[..., : 2 * size]
        both += recurrent[..., : 2 * size]
        # The logistic function by tanh, as above; the weights of these gates are halved for it.
        np.tanh(both, out=both)
        both += 1.0
        both *= 0.5
        reset, update = both[..., :size], both[..., size:]
        candidate = recurrent[..., 2 * size :]
        candidate += self.recurrent_bias
        candidate *= reset
        candidate += gates[..., 2 * size :]
        np.tanh(candidate, out=candidate)
        hidden -= candidate
        hidden *= update
        hidden += candidate


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
