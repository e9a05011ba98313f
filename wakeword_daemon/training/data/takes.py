"""Takes of the word: which of them can be used, and where the word is in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wakeword_daemon.clock import samples
from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.pcm import Pcm
from wakeword_daemon.training.data.corpus import Recording
from wakeword_daemon.training.data.endpoints import Span, is_alone, speech_span
from wakeword_daemon.training.data.melpower import Frames, MelPower
from wakeword_daemon.training.data.reading import readable

LONGEST_WORD = 2.4
"""Seconds; a training sequence has no room for a longer word."""
CLIPPED_SHARE = 0.01
LONGER_THAN_USUAL = 1.4
"""How many times the usual length a word may last before noise around it is looked for."""


@dataclass(frozen=True)
class Take:
    """One take of the word.

    Attributes:
        recording: the recording it is, or is made from.
        power: mel power, [frames, mels].
        span: where in `power` the word is.

    """

    recording: Recording
    power: Frames
    span: Span


@dataclass(frozen=True)
class UsableTake(Take):
    """A recording of the word that can be used.

    Attributes:
        pcm: its samples.

    """

    pcm: Pcm

    @property
    def word(self) -> slice:
        """Where in the samples the word is."""
        return slice(samples(self.span.start / 100), samples(self.span.stop / 100))


def usable_takes(
    recordings: Sequence[Recording], features: FeatureSettings
) -> tuple[list[UsableTake], list[str]]:
    """Read takes of the word.

    Returns:
        the takes that can be used, and for each of the others a sentence that says why not.

    """
    front_end = MelPower(features)
    longest = LONGEST_WORD * features.frames_per_second
    usable: list[UsableTake] = []
    set_aside: list[str] = []
    read: list[tuple[Recording, Pcm, Frames]] = []
    for number, pcm in readable([r.path for r in recordings], set_aside):
        read.append((recordings[number], pcm, front_end(pcm)))
    # The first span may include noise around the word. More speech than the word, which would be
    # as loud as the word, is set aside below.
    wholes = [speech_span(power) for _, _, power in read]
    usual = float(np.median([len(whole) for whole in wholes if whole] or [0]))
    for (recording, pcm, power), whole in zip(read, wholes, strict=True):
        span = speech_span(power, round(LONGER_THAN_USUAL * usual))
        clipped = float(np.mean(np.abs(pcm.astype(np.int32)) >= 32_700))  # noqa: PLR2004
        if span is None or whole is None:
            set_aside.append(f"{recording.path}: nothing is spoken in it")
        elif len(whole) > longest and (len(span) > longest or not is_alone(power, span)):
            length = len(whole) / features.frames_per_second
            set_aside.append(f"{recording.path}: the word lasts {length:.1f} s")
        elif clipped > CLIPPED_SHARE:
            set_aside.append(f"{recording.path}: {clipped:.0%} of the samples are clipped")
        else:
            usable.append(UsableTake(recording, power, span, pcm))
    return usable, set_aside
