"""What a trained word is known to do, as figures and as the card that ships with the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wakeword_daemon.training.evaluation import StreamReport
from wakeword_daemon.training.metrics import TARGETS, WORD_TAIL, OperatingPoint, wilson


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
        threshold: the default threshold, chosen on `select`.
        select: measured on the speakers that epoch and threshold were chosen by.
        final: measured on speakers that nothing was chosen by.
        clip_metric: of `final`.

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
    select: StreamReport
    final: StreamReport
    clip_metric: float

    def both(self) -> StreamReport:
        """Return the report on all validation streams."""
        return self.select.joined(self.final)

    def figures(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        return {
            "clip_metric": self.clip_metric,
            "threshold": self.threshold,
            **{
                name: {
                    "takes": len(report.takes),
                    "hours": report.hours,
                    "at_default": _plain(report.at_threshold(self.threshold)),
                    "points": [_plain(point) for point in report.points],
                }
                for name, report in (("select", self.select), ("final", self.final))
            },
        }


def _plain(point: OperatingPoint) -> dict[str, float]:
    return {
        "threshold": point.threshold,
        "miss_rate": point.miss_rate,
        "false_accepts_per_hour": point.false_accepts_per_hour,
    }


def write_card(results: Results) -> str:
    """Return the model's card in Markdown."""
    r = results
    default = r.final.at_threshold(r.threshold)
    misses = round(default.miss_rate * len(r.final.takes))
    low, high = wilson(misses, len(r.final.takes))
    sources = "\n".join(f"| {name} | {licence} |" for name, licence in r.sources)
    return f"""# {r.phrase}

An attention CRNN of {r.parameters:,} parameters that hears “{r.phrase}” in English.

Made by

    {r.command}

## What it learned from

{r.real_takes} takes of the word by {r.speakers} speakers, {r.synthetic_takes} synthetic takes
(espeak-ng, flite, festival), near-sounding nonsense and sentences by the same synthesizers, and the
other speech and noise of the training split:

| source | licence |
|---|---|
{sources}

{len(r.set_aside)} takes were set aside as silent, clipped, too long or unreadable. No recording is
part of this project; only the weights are.

## What it does

Measured with the engine that ships, on speakers of the validation split that it never learned from.
They are halved by speaker: one half chose the best epoch and the threshold, the other was looked at
once, at the end. Each take follows other speech; false accepts are counted in speech without the
word. A word counts as heard when the score crosses the threshold before {WORD_TAIL:g} s after its
end.

Default threshold {r.threshold:g}, on the half for the last look: {misses} of
{len(r.final.takes)} takes missed ({default.miss_rate:.1%}, 95 % interval {low:.1%} to {high:.1%}),
{default.false_accepts_per_hour:.2f} false accepts an hour in {r.final.hours:.2f} h. Clip metric
(area under false rejects over false accepts, both divided by all clips): {r.clip_metric:.2e}.

{_table("Last look", r.final)}

{_table("Chosen by", r.select)}

{_table("Both", r.both())}

Misses by speaker at the default threshold, both halves: {_by_speaker(r.both(), r.threshold)}.
"""


def _table(title: str, report: StreamReport) -> str:
    rows = "\n".join(
        f"| {target:g} | {p.threshold:.4f} | {p.miss_rate:.1%} | {p.false_accepts_per_hour:.2f} |"
        for target, p in zip(TARGETS, report.points, strict=True)
    )
    return f"""### {title}: {len(report.takes)} takes, {report.hours:.2f} h of other speech

| at most … false accepts/h | threshold | missed | false accepts/h |
|---|---|---|---|
{rows}"""


def _by_speaker(report: StreamReport, threshold: float) -> str:
    speakers = sorted({take.speaker for take in report.takes})
    told = []
    for speaker in speakers:
        peaks = [take.peak() for take in report.takes if take.speaker == speaker]
        missed = sum(peak < threshold for peak in peaks)
        told.append(f"{speaker.rpartition('/')[2]} {missed}/{len(peaks)}")
    return ", ".join(told)
