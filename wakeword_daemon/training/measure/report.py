"""What was measured of a trained word, as figures and as the card that ships with the model."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from wakeword_daemon.counts import counted
from wakeword_daemon.engine.modelfile import Origin
from wakeword_daemon.training.measure.evaluation import StreamReport
from wakeword_daemon.training.measure.metrics import WORD_TAIL, ErrorRates, poisson, wilson
from wakeword_daemon.training.measure.thresholds import shown_points

HOW_MEASURED = f"""Other speech comes before each take. The word counts as heard if the score
crosses the threshold no later than {WORD_TAIL:g} s after its end. Run-on: so many
milliseconds after the word, somebody else begins to speak, just as loud. Run-in: other speech ends
at most 100 ms before the word. Slow, fast, high, child: Praat changed the voice. Babble: six other
people talk at the same time. Again: the same speaker has just said the word before, and the
detector must fire a second time; in “first masked”, noise that is 10 dB louder than the word covers
the first one. Headset: the word sounds as on an old telephone (300 to 3,400 Hz, mu-law). The noises
and the rooms were not used for training. False accepts were counted only where the table has them.
The synthetic speech consists of dictionary words in random order, said by voices that were not used
for training. People usually set a word off more often than these voices do."""


@dataclass(frozen=True)
class Measured:
    """Everything measured of one network.

    Attributes:
        dev: by condition, on the speakers that the threshold was chosen on.
        test: by condition, on speakers that were not used for any choice.
        long_form: hours of synthetic speech without the word that were not used for any choice;
            None if there is no synthesizer.
        clip_metric: of `test`, clean.

    """

    dev: Mapping[str, StreamReport]
    test: Mapping[str, StreamReport]
    long_form: StreamReport | None
    clip_metric: float

    def both(self, condition: str) -> StreamReport:
        """Return the report on all validation streams under a condition."""
        return self.dev[condition].joined(self.test[condition])

    def all_conditions(self) -> dict[str, StreamReport]:
        """Return the report on all validation streams under each condition."""
        return {condition: self.both(condition) for condition in self.dev}


def pooled(parts: Sequence[Measured]) -> Measured:
    """Combine the results of several networks, each on its own streams, into one."""

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
        parameters: numbers in the network.
        real_takes, synthetic_takes, natural_takes, speakers: what it learned the word from.
        left_out: synthesizers that were not used for training, because they stand in for strangers.
        set_aside: recordings left out, each with the reason.
        sources: collections it learned from, with their licences.
        origin: the code, the data and the command that made it.
        threshold: the default threshold.
        target: the false accepts an hour that the threshold was chosen to stay within.
        measured: what the network does.
        labelled: clips that its user labelled, with the word and without it.
        begun: the beginning of the phrase, if synthetic voices say it in the takes by people.

    """

    phrase: str
    parameters: int
    real_takes: int
    synthetic_takes: int
    natural_takes: int
    speakers: int
    left_out: Sequence[str]
    set_aside: list[str]
    sources: list[tuple[str, str]]
    origin: Origin
    threshold: float
    target: float
    measured: Measured
    labelled: tuple[int, int] = (0, 0)
    begun: str = ""

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
        rates: dict[str, Any] = {
            "takes": len(report.takes),
            "missed_at_default": report.missed(self.threshold),
            "hours": report.hours,
        }
        if report.hours:
            rates["false_accepts_at_default"] = report.accepts(self.threshold)
            rates["points"] = [_plain(point) for point in report.points]
        return rates

    def points(self) -> list[tuple[float, ErrorRates]]:
        """Return the operating points for the model file, with their targets."""
        return shown_points(self._counted(), self.threshold, self.target)

    def counted_hours(self) -> float:
        """Return the other speech that the operating points come from, under all conditions."""
        return sum(report.hours for report in self._counted())

    def _counted(self) -> list[StreamReport]:
        synthetic = [self.measured.long_form] if self.measured.long_form else []
        return [r for r in self.measured.all_conditions().values() if r.hours] + synthetic


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
    clips = _labelled(r)
    return f"""# {r.phrase}

An attention-based CRNN with {r.parameters:,} parameters that detects “{r.phrase}” in English.

Made by

    {r.origin.command}

with the code of {r.origin.code},
from recordings whose list has the digest {r.origin.data}.

## What it learned from

{_takes(r)}

To learn what is not the word, it heard the other speech and the noise of the training split. It
also heard nonsense, dictionary words and groups of common words that sound like the word, commands,
and everyday sentences. They were said in English and other accents by
{_named(r.left_out)}.{clips}

The recordings are from these collections:

| source | licence |
|---|---|
{sources}

{len(r.set_aside)} takes were left out because they were silent, clipped, too long or unreadable.
The project contains no recordings, only the weights.

## What it does

It was measured with the engine that ships, on
{_judges(r)}.
They are divided into two halves by speaker. The threshold was chosen on the dev half and on half of
the synthetic speech. The test half was used only once, at the end.

{HOW_MEASURED}

The default threshold is {r.threshold:g}. It was chosen so that all other speech together stays
within {r.target:g} false accepts an hour, and so does each source under each condition in which
they are counted; a source of less than {1 / r.target:g} hours may have one. The brackets are 95 %
intervals: an hour without a false accept may still mean 3.7 an hour.

### Test half, at the default threshold

{conditions_table(r.measured.test, r.threshold)}

### Both halves together

{conditions_table(r.measured.all_conditions(), r.threshold, stricter_columns(r.points()))}

### False accepts by source, both halves, at the default threshold

{sources_table(with_synthetic(r.measured), r.threshold)}

### At other thresholds

{_points_table(r)}

The clip metric is {r.measured.clip_metric:.2e}. It is the area under the curve that shows false
rejects over false accepts, each as a share of all clips, for the test half under clean conditions.

![misses over false accepts, and scores]({picture})

### Misses by speaker, both halves, at the default threshold

{speakers_table(r.measured.all_conditions(), r.threshold)}
"""


def _takes(r: Results) -> str:
    """Return a sentence about the takes of the word; there may be none by people."""
    simple = [one for one in ("espeak-ng", "flite", "festival") if one not in r.left_out]
    voices = (
        f"{r.synthetic_takes} synthetic takes by\n{_listed(simple)},"
        f" and from {r.natural_takes} takes by Kokoro, alone and in sentences."
    )
    if not r.real_takes:
        return f"No person said the word. It learned it from {voices}"
    people = counted(r.speakers, "speaker")
    begun = f"In the recordings people say all but “{r.begun}”; Kokoro says it in their takes.\n"
    return (begun if r.begun else "") + (
        f"It learned the word from {r.real_takes} takes by {people}, from {voices}\nFrom each take"
        " by a person, Praat made four more, with another voice or microphone."
    )


def _named(left_out: Sequence[str]) -> str:
    small = [name for name in ("Piper", "Pico") if name.lower() not in left_out]
    return _listed(["the same synthesizers", *small])


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _judges(r: Results) -> str:
    if r.left_out:
        return (
            f"voices of {' and '.join(r.left_out)}, synthesizers that it never learned from, on"
            " four voices of Kokoro that were left out of training, and on recordings kept for this"
        )
    begun = f",\nwith “{r.begun}” by voices of Kokoro that it never learned from" if r.begun else ""
    return f"speakers of the validation split that it never learned from{begun}"


def _labelled(r: Results) -> str:
    said, other = r.labelled
    if not said + other:
        return ""
    return f""" Clips
that the user had labelled were used more often than any of these: {said} with the word and {other}
without it."""


def write_folds(folds: Sequence[Results], command: str) -> str:
    """Return the report on a cross-validation in Markdown: one network's results a fold."""
    phrase, threshold, target = folds[0].phrase, folds[0].threshold, folds[0].target
    pool = pooled([fold.measured for fold in folds])
    clean = pool.both("clean")
    speakers = len({take.speaker for take in clean.takes})
    return f"""# {phrase}, cross-validated by speaker

Made by

    {command}

{len(folds)} networks were trained like the one that ships, each without one group of the training
speakers and without the validation split. Each of the {len(clean.takes)} takes by {speakers}
speakers was then measured with the network that was trained without its speaker. False accepts were
counted in the other speech of the same group.

{HOW_MEASURED}

### At the default threshold, {threshold:g}

Each network has its own, chosen on half of its speakers, as for the one that ships, to stay within
{target:g} false accepts an hour. The brackets are 95 % intervals. All networks were tested on the
same synthetic speech.

{conditions_table(pool.all_conditions(), threshold)}

### Test half, at the default threshold

{conditions_table(pool.test, threshold)}

### False accepts by source, at the default threshold

{sources_table(with_synthetic(pool), threshold)}

### Misses by speaker, at the default threshold

{speakers_table(pool.all_conditions(), threshold)}
"""


def _points_table(r: Results) -> str:
    points = r.points()
    if not points:
        return "Too little other speech was measured for any operating point."
    rows = [
        "The model file has these operating points. A target is left out if it needs more hours of",
        "other speech than were measured, over all conditions and in synthetic speech.",
        "",
        "| false accepts/h, at most | threshold | missed, clean | false accepts/h, measured |",
        "|---|---|---|---|",
    ]
    rows += [
        f"| {target:g} | {p.threshold:.4f} | {p.miss_rate:.1%} | {p.false_accepts_per_hour:.2f} |"
        for target, p in points
    ]
    return "\n".join(rows)


def stricter_columns(points: Sequence[tuple[float, ErrorRates]]) -> dict[str, float]:
    """Return the thresholds of the two strictest points, by the heading of their column."""
    return {f"missed at ≤ {target:g}/h": p.threshold for target, p in points[:2]}


def with_synthetic(measured: Measured) -> dict[str, StreamReport]:
    """Return the reports on both halves; the clean one includes the synthetic speech."""
    reports = measured.all_conditions()
    if measured.long_form is not None:
        reports["clean"] = reports["clean"].joined(measured.long_form)
    return reports


def missed_cell(report: StreamReport, threshold: float) -> str:
    """Return the misses at a threshold, with their 95 % interval."""
    missed, takes = report.missed(threshold), len(report.takes)
    low, high = wilson(missed, takes)
    return f"{missed} of {takes} = {missed / takes:.1%} ({low:.1%} to {high:.1%})"


def accepts_cell(report: StreamReport, threshold: float) -> str:
    """Return the false accepts at a threshold, with the 95 % interval of their rate."""
    count, hours = report.accepts(threshold), report.hours
    low, high = (bound / hours for bound in poisson(count))
    return f"{count} in {hours:.2f} h = {count / hours:.2f} ({low:.2f} to {high:.2f})"


def together(reports: Mapping[str, StreamReport]) -> StreamReport:
    """Return all conditions under which false accepts are counted as one report."""
    return functools.reduce(StreamReport.joined, (r for r in reports.values() if r.hours))


def conditions_table(
    reports: Mapping[str, StreamReport],
    threshold: float,
    others: Mapping[str, float] = MappingProxyType({}),
) -> str:
    """Return the table of all conditions: misses and false accepts at the default threshold.

    Args:
        reports: by condition.
        threshold: the default.
        others: other thresholds, by the heading of their column of misses.

    """
    rows = [
        "| condition | missed | false accepts an hour |" + "".join(f" {h} |" for h in others),
        "|---|---|---" + "|---" * len(others) + "|",
    ]
    for condition, report in reports.items():
        accepted = accepts_cell(report, threshold) if report.hours else ""
        cells = "".join(f" {report.missed(t) / len(report.takes):.1%} |" for t in others.values())
        rows.append(f"| {condition} | {missed_cell(report, threshold)} | {accepted} |{cells}")
    return "\n".join(rows)


def sources_table(reports: Mapping[str, StreamReport], threshold: float) -> str:
    """Return the table of false accepts by source of other speech, and by condition.

    Each cell is a count, and the upper end of the 95 % interval of the rate an hour.
    """
    counted = {name: report for name, report in reports.items() if report.hours}
    sources = sorted({source for report in counted.values() for source in report.others})
    rows = [
        "| other speech | hours | " + " | ".join(counted) + " |",
        "|---|---" + "|---" * len(counted) + "|",
    ]
    for source in sources:
        cells = []
        for report in counted.values():
            if source not in report.others:
                cells.append("")
                continue
            count, hours = report.accepts(threshold, source), report.hours_of[source]
            cells.append(f"{count} (≤ {poisson(count)[1] / hours:.1f}/h)")
        hours = max(report.hours_of.get(source, 0) for report in counted.values())
        rows.append(f"| {source} | {hours:.2f} | {' | '.join(cells)} |")
    return "\n".join(rows)


def speakers_table(reports: Mapping[str, StreamReport], threshold: float) -> str:
    """Return the table of misses by speaker and condition."""
    speakers = sorted({take.speaker for report in reports.values() for take in report.takes})
    rows = [
        "| speaker | takes | " + " | ".join(reports) + " |",
        "|---|---" + "|---" * len(reports) + "|",
    ]
    for speaker in speakers:
        theirs = [[t for t in r.takes if t.speaker == speaker] for r in reports.values()]
        missed = [str(sum(t.missed(threshold) for t in takes)) for takes in theirs]
        name = speaker.rpartition("/")[2]
        rows.append(f"| {name} | {len(theirs[0])} | {' | '.join(missed)} |")
    return "\n".join(rows)
