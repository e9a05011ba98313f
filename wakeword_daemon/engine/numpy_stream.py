"""The step in numpy.

A step is so small that each call of numpy costs more than its arithmetic. So there are few calls,
they write to buffers that the stream keeps, and views are made only once. The networks are in
`stacked`.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Self

import numpy as np

from wakeword_daemon.engine.logmel import LogMel
from wakeword_daemon.engine.stacked import StackedWords

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakeword_daemon.engine.arrays import Array
    from wakeword_daemon.engine.crnn import CRNN
    from wakeword_daemon.engine.weights import Weight
    from wakeword_daemon.pcm import Pcm, Samples

INT16 = np.dtype(np.int16)  # numpy would convert np.int16 at every comparison


class NumpyStream:
    """One stream through networks of the same features and steps; see `streams.Stream`."""

    def __init__(self, networks: Sequence[CRNN]) -> None:
        self._front = LogMel(networks[0].features)
        # Words whose networks have the same shape are stacked, so that one call serves all of them.
        self._words: list[list[int]] = []
        self._stacks: list[StackedWords] = []
        for shape in dict.fromkeys(network.architecture for network in networks):
            words = [word for word, n in enumerate(networks) if n.architecture == shape]
            self._words.append(words)
            self._stacks.append(StackedWords([networks[word] for word in words]))
        self._kernel = networks[0].architecture.kernel_frames
        self._stride = networks[0].architecture.stride_frames
        self._begin()

    def _begin(self) -> None:
        """Make what belongs to one stream."""
        f = self._front.settings
        self._samples = np.zeros(f.window + (self._stride - 1) * f.hop, np.int16)
        # Log-mel [mels, kernel_frames]: a band's kernel covers whole rows, which are contiguous.
        self._history = np.zeros((f.mels, self._kernel), np.float32)
        self._flat = self._history.ravel()
        self._states = [stack.initial_state(self._history) for stack in self._stacks]
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._held_samples = self._held_frames = self._frames = 0
        for state in self._states:
            state.reset()

    def fresh(self) -> Self:
        """Return a new stream through the same networks."""
        other = copy.copy(self)
        other._begin()  # noqa: SLF001 - of this class
        return other

    def hear(self, given: Samples) -> list[tuple[int, int, list[float]]]:
        """Process int16 samples [samples]; return the steps that they complete."""
        pcm: Pcm = np.asarray(given)
        if pcm.dtype != INT16 or pcm.ndim != 1:
            raise TypeError("samples must be int16, [samples]")
        hop, made, start = self._front.settings.hop, [], 0
        while start < len(pcm):
            # The frames of a step are computed together.
            due = (self._kernel - self._held_frames - 1) % self._stride + 1
            needed = self._front.settings.window + (due - 1) * hop
            held = self._held_samples
            fresh = pcm[start : start + needed - held]
            start += len(fresh)
            self._held_samples += len(fresh)
            self._samples[held : self._held_samples] = fresh
            if self._held_samples < needed:
                break
            first, self._held_frames = self._held_frames, self._held_frames + due
            self._front.fill(self._history[:, first : self._held_frames], self._samples)
            added = self._samples[needed - due * hop : needed].astype(np.float64)
            self._held_samples -= due * hop
            self._samples[: self._held_samples] = self._samples[due * hop : needed]
            self._frames += due
            if self._held_frames == self._kernel:
                made.append((self._frames - 1, int(added @ added), self._step()))
        return made

    def hear_frames(self, given: Weight) -> list[tuple[int, int, list[float]]]:
        """Process contiguous log-mel frames [F, mels]; samples that made no frame are dropped."""
        frames: Array = np.asarray(given)
        made, start = [], 0
        while start < len(frames):
            self._held_samples = 0
            fresh = frames[start : start + self._kernel - self._held_frames]
            start += len(fresh)
            first, self._held_frames = self._held_frames, self._held_frames + len(fresh)
            self._history[:, first : self._held_frames] = fresh.T
            self._frames += len(fresh)
            if self._held_frames == self._kernel:
                made.append((self._frames - 1, 0, self._step()))
        return made

    def attention_weights(self) -> Array:
        """Return the attention weights of the first word at the last step, [T]; they sum to 1.

        The oldest step comes first; the weights of steps before the first are 0.
        """
        return self._states[0].attention.weights()[:, 0]

    def hidden_states(self) -> list[Array]:
        """Return a copy of the hidden state of each layer of the first word: [hidden] each."""
        return [layer.hidden[0, 0].copy() for layer in self._states[0].layers]

    def _step(self) -> list[float]:
        """Run a step on a full history; return each word's probability."""
        if len(self._stacks) == 1:
            scores = self._stacks[0].step(self._states[0])
        else:
            scores = [0.0] * sum(map(len, self._words))
            for words, stack, state in zip(self._words, self._stacks, self._states, strict=True):
                for word, score in zip(words, stack.step(state), strict=True):
                    scores[word] = score
        # Drop the oldest frames of each row; what moves into its end is overwritten later.
        self._flat[: -self._stride] = self._flat[self._stride :]
        self._held_frames -= self._stride
        return scores
