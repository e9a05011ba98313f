"""What a trained word is known to do, as figures and as the card that ships with the model."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wakeword_daemon.training.measure.evaluation import StreamReport
from wakeword_daemon.training.measure.metrics import (
    TARGETS,
    WORD_TAIL,
    ErrorRates,
    poisson,
    wilson,
)

TOLD = (0.1, 0.25, 0.5)
"""False accepts an hour that the card's tables tell the misses at."""


@dataclass(frozen=True)
class Measured:
    """Everything measured of one network.

    Attributes:
        dev: by condition, on the speakers that the threshold was chosen by.
        test: by condition, on speakers that nothing was chosen by.
        long_form: hours of synthetic speech without the word, that nothing was chosen by; None
            where there is no synthesizer.
        clip_metric: of `test`, in the clean.

    """

    dev: Mapping[str, StreamReport]
    test: Mapping[str, StreamReport]
    long_form: StreamReport | None
    clip_metric: float

    def both(self, condition: str) -> StreamReport:
        """Return the report on all validation streams under a condition."""
        return self.dev[condition].joined(self.test[condition])


def pooled(parts: Sequence[Measured]) -> Measured:
    """Return what several networks did, each with streams of its own, as if it were one."""

    def join(reports: Iterable[StreamReport]) -> StreamReport:
        return functools.reduce(StreamReport.joined, reports)

    hours = [part.long_form for part in parts if part.long_form is not None]
    return Measured(
        dev={name: join(part.dev[name] for part in parts) for name in parts[0].dev},
        test={name: join(part.test[name] for part in parts) for name in parts[0].test},
        long_form=join(hours) if hours else None,
        clip_metric=sum(part.clip_metric for part in parts) / len(parts),
    )


@dataclass(frozen=True)
class Results:
    """The outcome of one training run.

    Attributes:
        phrase: the word as it is spoken.
        command: what reproduces the model.
        parameters: numbers in the network.
        real_takes, synthetic_takes, speakers: what it learned the word from.
        set_aside: recordings left out, each with the reason.
        sources: collections it learned from, with their licences.
        threshold: the default threshold.
        target: the false accepts an hour that it was chosen to keep within.
        measured: what the network does.

    """

    phrase: str
    command: str
    parameters: int
    real_takes: int
    synthetic_takes: int
    speakers: int
    set_aside: list[str]
    sources: list[tuple[str, str]]
    threshold: float
    target: float
    measured: Measured

    def figures(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        m = self.measured
        return {
            "threshold": self.threshold,
            "clip_metric": m.clip_metric,
            **{
                half: {name: self._half(report) for name, report in reports.items()}
                for half, reports in (("dev", m.dev), ("test", m.test))
            },
        }

    def _half(self, report: StreamReport) -> dict[str, Any]:
        return {
            "takes": len(report.takes),
            "hours": report.hours,
            "at_default": _plain(report.at_threshold(self.threshold)),
            "points": [_plain(point) for point in report.points],
        }


def _plain(point: ErrorRates) -> dict[str, float]:
    return {
        "threshold": point.threshold,
        "miss_rate": point.miss_rate,
        "false_accepts_per_hour": point.false_accepts_per_hour,
    }


def write_card(results: Results, picture: str) -> str:
    """Return the model's card in Markdown; `picture` is the file name of its curves."""
    r = results
    sources = "\n".join(f"| {name} | {licence} |" for name, licence in r.sources)
    return f"""# {r.phrase}

An attention CRNN of {r.parameters:,} parameters that hears “{r.phrase}” in English.

Made by

    {r.command}

## What it learned from

{r.real_takes} takes of the word by {r.speakers} speakers, {r.synthetic_takes} synthetic takes
(espeak-ng, flite, festival), near-sounding nonsense in English and other accents, near-sounding
words of the dictionary and sentences by the same synthesizers, and the other speech and noise of
the training split:

| source | licence |
|---|---|
{sources}

{len(r.set_aside)} takes were set aside as silent, clipped, too long or unreadable. No recording is
part of this project; only the weights are.

## What it does

Measured with the engine that ships, on speakers of the validation split that it never learned from.
They are halved by speaker: one half, and half of the synthetic speech, chose the threshold; the
others were looked at once, at the end.
Each take follows other speech; false accepts are counted in speech without the word. A word counts
as heard when the score crosses the threshold before {WORD_TAIL:g} s after its end. Noise and rooms
are other recordings and another simulation than those it was trained with. The synthetic speech is
made of dictionary words in random order, by voices it was not trained with: harder than what people
say, it tells what an unlucky evening holds, and is reported apart.

### At the default threshold, {r.threshold:g}

Chosen to keep within {r.target:g} false accepts an hour in speech under the three conditions and
synthetic speech together. In brackets 95 % intervals.

{_default_table(r.measured, r.threshold)}

### At other thresholds, both halves together

Each threshold is the lowest that keeps within the false accepts, under the condition itself.

{_points_table(r.measured)}

{_model_points(r)}

Clip metric (area under false rejects over false accepts, both divided by all clips; last look, in
the clean): {r.measured.clip_metric:.2e}.

![misses over false accepts, and scores]({picture})

### Misses by speaker, both halves, default threshold

{_speaker_table(r.measured, r.threshold)}
"""


def write_folds(folds: Sequence[Results], command: str) -> str:
    """Return the report on a cross-validation in Markdown: one network's results a fold."""
    phrase, threshold, target = folds[0].phrase, folds[0].threshold, folds[0].target
    together = pooled([fold.measured for fold in folds])
    clean = together.both("clean")
    speakers = len({take.speaker for take in clean.takes})
    return f"""# {phrase}, cross-validated by speaker

Made by

    {command}

{len(folds)} networks were trained as the one that ships, each without a group of the training
speakers and with none of the validation split. Each of the {len(clean.takes)} takes by {speakers}
speakers was then heard by the network that knows nothing of its speaker, and false accepts were
counted in the other speech of the same group. The card of the word tells how it is measured.

### At the default threshold, {threshold:g}

Each network's own, chosen on half of its speakers, as for the one that ships, to keep within
{target:g} false accepts an hour; the last look is at the other half. In brackets 95 % intervals.
All networks heard the same synthetic speech.

{_default_table(together, threshold)}

### At other thresholds

One threshold for all networks, the lowest that keeps within the false accepts under the condition.

{_points_table(together)}

### Misses by speaker, default threshold

{_speaker_table(together, threshold)}
"""


def _default_table(measured: Measured, threshold: float) -> str:
    rows = [
        "| speech | condition | missed | false accepts an hour |",
        "|---|---|---|---|",
    ]
    for half, reports in (("last look", measured.test), ("chosen by", measured.dev)):
        for condition, report in reports.items():
            rows.append(
                f"| {half} | {condition} | {_missed(report, threshold)} "
                f"| {_accepts(report, threshold)} |"
            )
    if measured.long_form is not None:
        accepted = _accepts(measured.long_form, threshold)
        rows.append(f"| synthetic, long-form | clean | | {accepted} |")
    return "\n".join(rows)


def _points_table(measured: Measured) -> str:
    rows = [
        "| condition | " + " | ".join(f"missed at ≤ {t:g}/h" for t in TOLD) + " | hours |",
        "|---|" + "---|" * (len(TOLD) + 1),
    ]
    for condition in measured.dev:
        both = measured.both(condition)
        cells = [_missed(both, both.at(target).threshold) for target in TOLD]
        rows.append(f"| {condition} | " + " | ".join(cells) + f" | {both.hours:.2f} |")
    return "\n".join(rows)


def _model_points(r: Results) -> str:
    both, long_form = r.measured.both("clean"), r.measured.long_form
    told = (
        f"What the model file carries ({len(both.takes)} takes, {both.hours:.2f} h of recordings, "
        "in the clean), and how often\nsynthetic speech fires at the same thresholds."
    )
    rows = [
        told,
        "",
        "| at most … false accepts/h | threshold | missed | measured | in synthetic speech |",
        "|---|---|---|---|---|",
    ]
    for target, p in zip(TARGETS, both.points, strict=True):
        synthetic = _accepts(long_form, p.threshold) if long_form else ""
        rows.append(
            f"| {target:g} | {p.threshold:.4f} | {p.miss_rate:.1%} "
            f"| {p.false_accepts_per_hour:.2f} | {synthetic} |"
        )
    return "\n".join(rows)


def _missed(report: StreamReport, threshold: float) -> str:
    missed, takes = report.missed(threshold), len(report.takes)
    low, high = wilson(missed, takes)
    return f"{missed} of {takes} = {missed / takes:.1%} ({low:.1%} to {high:.1%})"


def _accepts(report: StreamReport, threshold: float) -> str:
    count, hours = report.accepts(threshold), report.hours
    low, high = (bound / hours for bound in poisson(count))
    return f"{count} in {hours:.2f} h = {count / hours:.2f} ({low:.2f} to {high:.2f})"


def _speaker_table(measured: Measured, threshold: float) -> str:
    conditions = list(measured.dev)
    reports = [measured.both(condition) for condition in conditions]
    speakers = sorted({take.speaker for take in reports[0].takes})
    rows = [
        "| speaker | takes | " + " | ".join(conditions) + " |",
        "|---|---|" + "---|" * len(conditions),
    ]
    for speaker in speakers:
        peaks = [[t.peak() for t in report.takes if t.speaker == speaker] for report in reports]
        missed = " | ".join(str(sum(p < threshold for p in column)) for column in peaks)
        rows.append(f"| {speaker.rpartition('/')[2]} | {len(peaks[0])} | {missed} |")
    return "\n".join(rows)
