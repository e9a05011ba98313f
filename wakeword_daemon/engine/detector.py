"""Samples in, detections out: the front end, the networks and the triggers of one stream."""

from __future__ import annotations

import copy
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.engine.closerlook import CloserLook
from wakeword_daemon.engine.streams import new_stream
from wakeword_daemon.engine.trigger import Trigger, WordSettings
from wakeword_daemon.errors import ConfigError, ModelError
from wakeword_daemon.levels import decibels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wakeword_daemon.engine.modelfile import Model
    from wakeword_daemon.engine.streams import Made
    from wakeword_daemon.pcm import Samples


@dataclass(frozen=True, slots=True)
class Detection:
    """A wake word was spoken.

    Attributes:
        word: its name.
        score: the smoothed probability that crossed the threshold, 0 to 1.
        sample: index one past the last sample behind that score, on the detector's clock.
        level: RMS level of the second before it, in dBFS, at least -100.
        model: id of the model.

    """

    word: str
    score: float
    sample: int
    level: float
    model: str


class Step(NamedTuple):
    """The scores at one step of the network.

    Attributes:
        sample: index one past the last sample behind the scores.
        scores: each word's probability, 0 to 1.

    """

    sample: int
    scores: dict[str, float]


class Detector:
    """Detects wake words in 16 kHz mono audio, which may come in pieces of any length.

    The features are computed once for all words. Samples are counted from 0, or from where `reset`
    sets the clock.

    Args:
        models: the wake words; their names must differ, and their features must be the same.
        settings: thresholds and other settings by word; a word without settings has the defaults.

    Attributes:
        clock: index one past the last sample so far.
        powers: mean square of the samples that came with each step of the last `push`.
        nearness: highest ratio of a score to its threshold in these steps; 1 reaches a threshold.

    Raises:
        ModelError: the models cannot run together.
        ConfigError: a setting is for a word that is not among the models, or asks for a
            sensitivity at which its model was not measured.

    """

    def __init__(
        self, models: Sequence[Model], settings: Mapping[str, WordSettings] | None = None
    ) -> None:
        self._models = {model.name: model for model in models}
        names = list(self._models)
        features = {model.card.features for model in models}
        strides = {model.card.architecture.stride_frames for model in models}
        kernels = {model.card.architecture.kernel_frames for model in models}
        if not models or len(names) != len(models):
            raise ModelError("a detector takes one or more models of different words")
        if len(features) > 1 or len(strides) > 1 or len(kernels) > 1:
            raise ModelError(
                f"the models of {', '.join(names)} cannot run together: they were trained "
                "on different features or steps"
            )
        chosen = settings or {}
        for word in chosen:
            if word not in names:
                raise ConfigError(
                    f"there are settings for {word!r}, but no model of that name; the words are "
                    + ", ".join(names)
                )
        shared = features.pop()
        networks = [model.network() for model in models]
        self._stream = new_stream(networks)
        self._closer = CloserLook(networks, self._stream)
        self._triggers = {
            model.name: _trigger(model, chosen.get(model.name, WordSettings())) for model in models
        }
        self._hop, self._window = shared.hop, shared.window
        self.clock = 0
        self._first_end = self._window  # where the first frame ends, on the clock
        # One for each step of the last second, for the level of a detection.
        self._step_samples = strides.pop() * shared.hop
        self._first_step = self._window + (kernels.pop() - 1) * shared.hop
        self._energies: deque[int] = deque(maxlen=max(1, SAMPLE_RATE // self._step_samples))
        self.powers: list[float] = []
        self.nearness = 0.0

    def fresh(self) -> Detector:
        """Return a detector with the same words and settings for another stream.

        Both share the weights, so another stream costs little.
        """
        other = copy.copy(self)
        other._begin()  # noqa: SLF001 -- of the same class
        return other

    def lead(self, end: int) -> int:
        """Return how many samples to leave out, so that a step ends `end` samples into a stream.

        Where audio comes in blocks of 80 ms, no step then has to wait for the next block, of which
        it needs only the beginning.
        """
        return (end - self._first_step) % self._step_samples

    @property
    def thresholds(self) -> dict[str, float]:
        """The threshold of each word."""
        return {word: trigger.threshold for word, trigger in self._triggers.items()}

    def set_threshold(self, word: str, threshold: float) -> None:
        """Set the threshold of a word, in (0, 1], from the next step on.

        Raises:
            KeyError: there is no such word.

        """
        self._triggers[word].threshold = threshold

    def push(self, pcm: Samples, trace: list[Step] | None = None) -> list[Detection]:
        """Process the next samples.

        Args:
            pcm: int16 samples [samples] at 16 kHz, mono; any number of them, including none.
            trace: a list to which each step is added, with the smoothed scores that are compared
                with the thresholds.

        Returns:
            the detections in them, in order.

        Raises:
            TypeError: the samples are not int16.
            ValueError: the array has more than one dimension.

        """
        detections = []
        powers, nearness = [], 0.0
        for frame, energy, scores in self._hear(pcm):
            self._energies.append(energy)
            powers.append(energy / self._step_samples)
            sample = self._first_end + frame * self._hop
            for word, probability in zip(self._triggers, scores, strict=True):
                trigger = self._triggers[word]
                score = trigger.step(probability, sample)
                near = trigger.score / trigger.threshold
                if near > nearness:
                    nearness = near
                if score is not None:
                    model = self._models[word].model_id
                    detections.append(Detection(word, score, sample, self._level(), model))
            if trace is not None:
                trace.append(
                    Step(sample, {word: one.score for word, one in self._triggers.items()})
                )
        self.powers, self.nearness = powers, nearness
        return detections

    def scores(self, pcm: Samples) -> list[Step]:
        """Process the next samples; return the score of every word at each step they complete.

        This is for programs that decide for themselves: it gives no detections. There is a step
        every 80 ms, and the first one needs 215 ms of audio. A score that is not low is that of a
        closer look: see `closerlook`.

        Args:
            pcm: as for `push`.

        Raises:
            TypeError: the samples are not int16.
            ValueError: the array has more than one dimension.

        """
        words = self._models
        return [
            Step(self._first_end + frame * self._hop, dict(zip(words, scores, strict=True)))
            for frame, _, scores in self._hear(pcm)
        ]

    def reset(self, at_sample: int | None = None) -> None:
        """Forget all audio so far, as after a gap.

        Args:
            at_sample: the clock's new value; None to keep its value.

        """
        self._stream.reset()
        self._closer.reset()
        for trigger in self._triggers.values():
            trigger.reset()
        self._energies.clear()
        if at_sample is not None:
            self.clock = at_sample
        self._first_end = self.clock + self._window

    def _begin(self) -> None:
        """Start a stream of its own, with the clock at 0."""
        self._stream, self._closer = self._stream.fresh(), self._closer.fresh()
        self._triggers = {
            word: Trigger(trigger.threshold, trigger.smoothing, trigger.refractory)
            for word, trigger in self._triggers.items()
        }
        self._energies = deque(maxlen=self._energies.maxlen)
        self.clock, self._first_end = 0, self._window

    def _hear(self, pcm: Samples) -> Made:
        """Process samples and count them; see `streams.Stream.hear`. Then look closer."""
        try:
            made = self._stream.hear(pcm)
        except (TypeError, ValueError, BufferError):
            pcm = _suitable(pcm)
            made = self._stream.hear(pcm)
        self.clock += len(pcm)
        self._closer.revise(pcm, made)
        return made

    def _level(self) -> float:
        power = sum(self._energies) / len(self._energies) / self._step_samples
        return round(decibels(power), 1)


def _trigger(model: Model, settings: WordSettings) -> Trigger:
    return Trigger(model.threshold_for(settings), settings.smoothing, settings.refractory)


def _suitable(given: Samples) -> Samples:
    """Return the samples as a contiguous array.

    Raises:
        TypeError: they are not int16; the message says how to convert them.
        ValueError: they have more than one dimension.

    """
    import numpy as np  # noqa: PLC0415 -- a daemon gives what suits
    import numpy.typing as npt  # noqa: PLC0415

    pcm: npt.NDArray[Any] = np.asarray(given)
    if pcm.ndim != 1:
        raise ValueError(
            f"samples must come in one dimension, not in the shape {pcm.shape}: choose one channel,"
            " as in pcm[:, 0]"
        )
    if pcm.dtype == np.int16:
        return pcm.astype(np.int16)  # a contiguous copy
    if pcm.dtype.kind == "f":
        how = "(pcm * 32767).clip(-32768, 32767).astype(np.int16) if they lie between -1 and 1"
    elif pcm.dtype == np.dtype(">i2"):
        how = "pcm.astype(np.int16)"
    elif pcm.dtype == np.int32:
        how = "(pcm >> 16).astype(np.int16) if they use all 32 bits"
    else:
        how = "samples of 16 bits, whose full scale is 32768"
    raise TypeError(f"samples must be int16, not {pcm.dtype}: convert them with {how}")
