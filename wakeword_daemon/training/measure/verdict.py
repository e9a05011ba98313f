"""What to expect of a trained word, and whether to use it at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from wakeword_daemon.training.data import strangers
from wakeword_daemon.training.measure.evaluation import StreamReport
from wakeword_daemon.training.measure.metrics import poisson
from wakeword_daemon.training.measure.report import Measured
from wakeword_daemon.training.measure.validation import only_synthetic

ALONE, RUN_ON, NOISE, ROOM = "clean", "run-on 100 ms", "noise 10 dB", "room"
"""The conditions that decide, as tables call them."""

GOOD = {ALONE: 0.05, RUN_ON: 0.15, NOISE: 0.2, ROOM: 0.15}
USABLE = {ALONE: 0.2, RUN_ON: 0.5, NOISE: 0.6, ROOM: 0.5}
"""Misses up to which a word is good, and up to which it may be used."""
USABLE_BY_VOICES = {ALONE: 0.75, RUN_ON: 0.85, NOISE: 0.9, ROOM: 0.85}
"""The latter for takes by left-out synthetic voices. Of “alexa” and “jarvis” from the phrase alone
they missed 35 % and 42 %, and people 2 % and 3 %. If people say it too, the limit lies between."""
GOOD_ACCEPTS = 1.0
USABLE_ACCEPTS = 3.0
"""The same for false accepts an hour."""
FEWEST_SOUNDS = 6
"""A phrase of fewer should be longer, before anything else is tried."""

_NAMES = {
    ALONE: "alone",
    "run-on 0 ms": "run-on at once",
    RUN_ON: "run-on after 0.1 s",
    NOISE: "in noise at 10 dB",
    ROOM: "in a room",
}


@dataclass(frozen=True)
class Verdict:
    """What to expect of a word.

    Attributes:
        judgement: whether to use it.
        reasons: what keeps it from being good, and what to do about it, in a sentence; "" if good.
        lines: what was measured, each as a name and a value.

    """

    judgement: Literal["good", "fair", "do not use"]
    reasons: str
    lines: list[tuple[str, str]]

    @property
    def usable(self) -> bool:
        """Whether the word may be used."""
        return self.judgement != "do not use"

    def __str__(self) -> str:
        """Return the judgement and its reasons."""
        return f"{self.judgement}: {self.reasons}" if self.reasons else self.judgement


def judge(measured: Measured, threshold: float, sounds: int) -> Verdict:
    """Return the verdict on a network.

    Misses are counted in all takes of the validation split, because no threshold is chosen on
    takes. False accepts are counted in the test half of the other speech.

    Args:
        measured: what it does.
        threshold: the default threshold.
        sounds: how many sounds the phrase has.

    """
    misses = {
        name: measured.both(name).missed(threshold) / len(measured.both(name).takes)
        for name in (ALONE, RUN_ON, NOISE, ROOM)
    }
    other = measured.test[ALONE]
    if measured.long_form is not None:
        other = other.joined(measured.long_form)
    accepts = other.accepts(threshold) / other.hours
    lines = [(_NAMES[name], _missed(measured.both(name), threshold)) for name in _NAMES]
    lines += _by_voices(measured.both(ALONE), threshold)
    lines.append(("false accepts an hour", _accepted(other, threshold)))
    takes = measured.both(ALONE).takes
    left_out = sum(_left_out(take.speaker) for take in takes)
    share = left_out / len(takes)
    usable = {n: (1 - share) * USABLE[n] + share * USABLE_BY_VOICES[n] for n in misses}
    failed = _too_many(misses, usable)
    if accepts > USABLE_ACCEPTS:
        failed.append(f"it fires {accepts:.1f} times an hour at other speech")
    if failed:
        return Verdict("do not use", f"{_joined(failed)}; {_advice(sounds)}", lines)
    wanting = missed = _too_many(misses, GOOD)
    if accepts > GOOD_ACCEPTS:
        wanting = [*missed, f"it fires {accepts:.1f} times an hour at other speech"]
    if wanting:
        advice = _TRY_IT if missed and 2 * left_out > len(takes) else _advice(sounds)
        return Verdict("fair", f"{_joined(wanting)}; {advice}", lines)
    return Verdict("good", "", lines)


def _too_many(misses: Mapping[str, float], most: Mapping[str, float]) -> list[str]:
    """Return what is missed too often, in one part of a sentence, or nothing."""
    parts = [f"{rate:.0%} {_NAMES[name]}" for name, rate in misses.items() if rate > most[name]]
    return [f"it misses {_joined(parts)}"] if parts else []


def _missed(report: StreamReport, threshold: float) -> str:
    missed, takes = report.missed(threshold), len(report.takes)
    return f"{missed} of {takes} missed, {missed / takes:.1%}"


def _accepted(report: StreamReport, threshold: float) -> str:
    count = report.accepts(threshold)
    high = poisson(count)[1] / report.hours
    rate = f"{count / report.hours:.2f} ({count} in {report.hours:.1f} h; surely below {high:.1f})"
    if only_synthetic(report):
        rate += "; all of it synthetic: people may set it off far more often"
    return rate


def _by_voices(report: StreamReport, threshold: float) -> list[tuple[str, str]]:
    """Return a line for the speakers of each collection, and of each left-out engine."""
    groups: dict[str, list[bool]] = {}
    for take in report.takes:
        collection, _, speaker = take.speaker.rpartition("/")
        if _left_out(take.speaker):
            group = f"strangers: {speaker.partition(' ')[0]}"
        else:
            group = f"people: {collection or speaker}"
        groups.setdefault(group, []).append(take.missed(threshold))
    return [
        (group, f"{sum(missed)} of {len(missed)} missed, {sum(missed) / len(missed):.1%}")
        for group, missed in sorted(groups.items())
    ]


def _left_out(speaker: str) -> bool:
    return speaker.startswith(f"{strangers.SOURCE}/")


_TRY_IT = (
    "people may be missed more often than these voices, or less often: try it, or add takes"
    " (--takes)"
)


def _advice(sounds: int) -> str:
    if sounds < FEWEST_SOUNDS:
        return "choose a longer word"
    return "add takes (--takes) or choose a longer word"


def _joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
