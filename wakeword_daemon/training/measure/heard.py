"""What a model does with labelled clips: heard as the daemon would hear them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.engine import Detector
from wakeword_daemon.engine.modelfile import Model
from wakeword_daemon.training.data.corpus import Corpus
from wakeword_daemon.training.data.reading import readable

_QUIET = 4.0
"""Standard deviation of the noise around a clip, in steps of 16 bits."""


@dataclass(frozen=True)
class Clips:
    """What a model does with labelled clips.

    Attributes:
        said, missed: clips with the word, and how many of them it misses.
        other, accepted: clips without it, and how many of them it takes for the word.

    """

    said: int
    missed: int
    other: int
    accepted: int

    @property
    def mistakes(self) -> int:
        """How many clips it gets wrong."""
        return self.missed + self.accepted


def hear(model: Model, labelled: Corpus) -> Clips:
    """Let a model hear each clip, with a second of quiet before and after it."""
    recordings = labelled.recordings
    quiet = np.random.default_rng(0).normal(0, _QUIET, SAMPLE_RATE).astype(np.int16)
    heard = {True: [0, 0], False: [0, 0]}  # whether the word is said: clips, and how many it hears
    for number, pcm in readable([r.path for r in recordings], [], title="hearing clips"):
        found = Detector([model]).push(np.concatenate([quiet, pcm, quiet]))
        counts = heard[recordings[number].word == model.name]
        counts[0] += 1
        counts[1] += bool(found)
    said, other = heard[True], heard[False]
    return Clips(said[0], said[0] - said[1], other[0], other[1])
