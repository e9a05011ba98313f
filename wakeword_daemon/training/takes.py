"""Takes of the word: which can be used, where in them the word is, and how often each is drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wakeword_daemon.audio import files
from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.errors import AudioError
from wakeword_daemon.training.conditions import Pcm
from wakeword_daemon.training.corpus import Recording
from wakeword_daemon.training.endpoints import Span, is_alone, speech_span
from wakeword_daemon.training.melpower import Frames, Library, MelPower
from wakeword_daemon.training.sequences import Takes

LONGEST_WORD = 2.4
"""Seconds; a longer one leaves no room in a training sequence."""
CLIPPED_SHARE = 0.01
LONGER_THAN_USUAL = 1.4
"""Times the word's usual length; what seems longer is looked at again, for noise around it."""
SYNTHETIC_SHARE = 0.3
"""Share of the drawn takes that are synthetic, where there are any."""


@dataclass(frozen=True)
class UsableTake:
    """A recording of the word, read and found good.

    Attributes:
        recording: which one.
        pcm: its samples.
        power: their mel power.
        span: where in `power` the word is.

    """

    recording: Recording
    pcm: Pcm
    power: Frames
    span: Span


def usable_takes(
    recordings: Sequence[Recording], features: FeatureSettings
) -> tuple[list[UsableTake], list[str]]:
    """Read takes of the word; return those that can be used, and of the others the reasons."""
    front_end = MelPower(features)
    longest = LONGEST_WORD * features.frames_per_second
    usable: list[UsableTake] = []
    set_aside: list[str] = []
    read: list[tuple[Recording, Pcm, Frames]] = []
    for recording in recordings:
        try:
            pcm = files.read(recording.path)
        except AudioError as error:
            set_aside.append(str(error))
            continue
        read.append((recording, pcm, front_end(pcm)))
    # What is found first may hold noise around the word; but who says more than the word does so
    # as loudly.
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
            usable.append(UsableTake(recording, pcm, power, span))
    return usable, set_aside


def weighted(
    real: Sequence[UsableTake], synthetic: Library, features: FeatureSettings, *, phrase: bool
) -> Takes:
    """Return the takes to train on, the real ones and the synthetic ones.

    Every speaker counts alike, however many takes there are of each; synthetic speakers together
    make up a share of their own. `phrase` tells whether the word is several words.
    """
    per_speaker = Counter(t.recording.speaker for t in real)
    pieces = [t.power for t in real]
    spans = [t.span for t in real]
    weights = [1 / per_speaker[t.recording.speaker] for t in real]
    weights = [w / sum(weights) for w in weights]
    found = [(synthetic[i], speech_span(synthetic[i])) for i in range(len(synthetic))]
    spoken = [(power, span) for power, span in found if span is not None]
    share = SYNTHETIC_SHARE if spoken else 0.0
    weights = [w * (1 - share) for w in weights] + [share / len(spoken) for _ in spoken]
    pieces += [power for power, _ in spoken]
    spans += [span for _, span in spoken]
    # Levelled by the word alone: a take may be mostly silence.
    pieces = [_at_unit_level(p, s) for p, s in zip(pieces, spans, strict=True)]
    drawn = np.array(weights) / sum(weights)
    return Takes(Library.of(pieces, features.mels), spans, drawn, phrase)


def _at_unit_level(power: Frames, span: Span) -> Frames:
    loud = np.quantile(power[span.start : span.stop].sum(axis=1), 0.8)
    return power / np.float32(max(loud, 1e-12))
