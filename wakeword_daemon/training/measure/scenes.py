"""Puts speech around a take: other speech before it, a command after it, or the word again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wakeword_daemon.clock import samples
from wakeword_daemon.pcm import Pcm
from wakeword_daemon.training.measure.channel import Background, as_pcm, rms, transmit, trimmed
from wakeword_daemon.training.measure.conditions import Condition

LEAD = 2.5
"""Seconds of other speech before each take: the network has always heard something."""
PAUSE = 0.5
"""Seconds of quiet between it and the take."""
LONGEST_GAP = 0.1
"""Most seconds of silence between other speech and a word that follows at once."""
TAIL = 1.2
"""Seconds of quiet at the end."""
ORDER = 1.5
"""Seconds of the sentence that follows the word."""
MASK_DB = -10.0
"""Signal-to-noise ratio that hides a word."""
MASK_MARGIN = 0.1
"""Seconds of noise before and after it."""


@dataclass(frozen=True)
class SpokenTake:
    """A take of the word: int16[n] at 16 kHz, the samples between which the word is, and who."""

    pcm: Pcm
    start: int
    stop: int
    speaker: str


@dataclass(frozen=True)
class SpokenWord:
    """Where in a stream the word is.

    Attributes:
        start, stop: the samples between which it is said.
        speaker: who says it.
        said_before: the sample at which the same speaker began to say it for the first time, where
            this is the second; None where it is said once.

    """

    start: int
    stop: int
    speaker: str
    said_before: int | None = None


@dataclass(frozen=True)
class Surroundings:
    """What is heard beside the word.

    Attributes:
        speech: what other people say, end to end, int16[n].
        sentences: recordings of sentences, to run into the word or to follow it.
        background: noise, rooms and babble.

    """

    speech: Pcm
    sentences: Sequence[Pcm]
    background: Background


def scene(
    take: SpokenTake,
    first: SpokenTake,
    condition: Condition,
    around: Surroundings,
    seed: tuple[int, int],
) -> tuple[Pcm, SpokenWord]:
    """Return the stream of one take under a condition, and where in it the word is.

    Other speech, a pause, the word, quiet. What is drawn depends on the seed alone, so that the
    same speech lies before a take under every condition.

    Args:
        take: the word.
        first: a take by the same speaker, for conditions in which the word was said before.
        condition: how it is said and heard.
        around: what is heard beside it.
        seed: of the set and of the take.

    """
    lead, hiss, order, gap = (np.random.default_rng([*seed, purpose]) for purpose in range(4))
    word, start, stop = _said(take, condition)
    loudness = rms(word[start:stop])
    if condition.run_in:
        sentence = _as_loud(trimmed(_drawn(around.sentences, lead)), loudness)
        parts = [sentence[-samples(LEAD) :], _quiet(gap.uniform(0, LONGEST_GAP), hiss)]
    else:
        parts = [_before(around.speech, word, lead), _quiet(PAUSE, hiss)]
    said_before = None
    if condition.again is not None:
        said_before = sum(map(len, parts))
        parts += [trimmed(first.pcm), _quiet(condition.again, hiss)]
    before = sum(map(len, parts))
    parts.append(word)
    if condition.run_on is not None:
        sentence = _as_loud(trimmed(_drawn(around.sentences, order)), loudness)
        parts += [_quiet(condition.run_on, hiss), sentence[: samples(ORDER)]]
    parts.append(_quiet(TAIL, hiss))
    stream = np.concatenate(parts)
    spoken = SpokenWord(before + start, before + stop, take.speaker, said_before)
    if condition.masked and said_before is not None:
        hidden = slice(said_before, before - samples(condition.again or 0))
        stream = _masked(stream, hidden, around.background, np.random.default_rng([*seed, 4]))
    heard = transmit(
        stream,
        condition,
        around.background,
        np.random.default_rng([*seed, 5]),
        slice(spoken.start, spoken.stop),
    )
    return heard, spoken


def quiet(count: int, rng: np.random.Generator) -> Pcm:
    """Return the noise of a microphone in a quiet room, -78 dBFS."""
    return rng.normal(0, 4, count).round().astype(np.int16)


def _said(take: SpokenTake, condition: Condition) -> tuple[Pcm, int, int]:
    """Return the take in the condition's voice, and where in it the word is.

    Where something is said right before or after the word, or again, the quiet around it is cut.
    """
    if condition.changes_voice:
        # Praat is needed for these conditions alone.
        from wakeword_daemon.training.data import voice_change  # noqa: PLC0415

        change = voice_change.VoiceChange(condition.pitch, condition.formants, condition.length)
        changed = voice_change.change_voice(take.pcm, change)
        scale = len(changed) / len(take.pcm)
        return changed, round(take.start * scale), round(take.stop * scale)
    if condition.run_in or condition.run_on is not None or condition.again is not None:
        word = trimmed(take.pcm)
        return word, 0, len(word)
    return take.pcm, take.start, take.stop


def _before(speech: Pcm, word: Pcm, rng: np.random.Generator) -> Pcm:
    """Return a stretch of other speech that peaks as high as the word."""
    begin = int(rng.integers(0, max(1, len(speech) - samples(LEAD))))
    lead = speech[begin : begin + samples(LEAD)].astype(np.float64)
    peak = max(1.0, float(np.abs(lead).max(initial=0)))
    return as_pcm(lead * float(np.abs(word.astype(np.int32)).max(initial=0)) / peak)


def _masked(stream: Pcm, word: slice, background: Background, rng: np.random.Generator) -> Pcm:
    """Hide a stretch of a stream under noise."""
    begin = max(0, word.start - samples(MASK_MARGIN))
    covered = slice(begin, word.stop + samples(MASK_MARGIN))
    inside = slice(word.start - begin, word.stop - begin)
    hidden = stream.copy()
    noisy = Condition("masked", snr_db=MASK_DB)
    hidden[covered] = transmit(stream[covered], noisy, background, rng, inside)
    return hidden


def _drawn(sentences: Sequence[Pcm], rng: np.random.Generator) -> Pcm:
    return sentences[int(rng.integers(len(sentences)))]


def _as_loud(pcm: Pcm, loudness: float) -> Pcm:
    return as_pcm(pcm.astype(np.float64) * (loudness / max(rms(pcm), 1e-9)))


def _quiet(seconds: float, rng: np.random.Generator) -> Pcm:
    return quiet(samples(seconds), rng)
