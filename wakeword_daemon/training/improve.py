"""Improving a word by labelled clips, and refusing a model that is worse than the one before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from math import comb
from pathlib import Path
from typing import Any

from wakeword_daemon import manifest
from wakeword_daemon.counts import counted
from wakeword_daemon.engine.modelfile import Model, read_model
from wakeword_daemon.errors import TrainingError
from wakeword_daemon.training.data.cache import digest
from wakeword_daemon.training.data.corpus import Corpus, read_corpus
from wakeword_daemon.training.data.progress import track
from wakeword_daemon.training.fit.distributed import Processes
from wakeword_daemon.training.labelled import folder_of
from wakeword_daemon.training.measure.comparison import (
    TARGET,
    Evaluation,
    figures,
    measure_model,
)
from wakeword_daemon.training.measure.conditions import CLEAN, measurable
from wakeword_daemon.training.measure.evaluation import StreamReport, measure
from wakeword_daemon.training.measure.heard import Clips, hear
from wakeword_daemon.training.measure.report import together as pooled
from wakeword_daemon.training.plan import Plan, TrainingJob
from wakeword_daemon.training.runfolder import check_output, held
from wakeword_daemon.training.word import MODEL_SUFFIX, Fitted, Trained, fit_word, write_word

CHANCE = 0.05
"""A change for the worse counts unless chance alone makes as large a one at least this often."""


@dataclass(frozen=True)
class Comparison:
    """Two models on the same recordings, of which neither has learned and which chose no threshold.

    Attributes:
        before, after: the models, each at its default threshold.
        clips_before, clips_after: the clips that the second one learned from.

    """

    before: Evaluation
    after: Evaluation
    clips_before: Clips
    clips_after: Clips

    def equal(self) -> tuple[float, float]:
        """Return the thresholds at which each keeps within `TARGET` false accepts an hour here."""
        first, second = (pooled(one.reports).at(TARGET) for one in (self.before, self.after))
        return first.threshold, second.threshold

    def worse(self) -> list[str]:
        """Return in which ways the second model is worse; none if chance may explain it.

        At equal false accepts, it may not miss more. At the default thresholds, neither misses nor
        false accepts may grow unless the others shrink, also beyond chance. Of the labelled clips,
        which it was to learn, it may not get even one more wrong.
        """
        at_equal, missed = self._missed(*self.equal()), self._missed(*self._defaults())
        accepted = _Change.of_counts(_accepts(self.before), _accepts(self.after))
        takes = sum(len(report.takes) for report in self.after.reports.values())
        found = []
        if at_equal.grew:
            within = f"where both keep within {TARGET:g} false accepts an hour"
            found.append(f"it misses {at_equal.as_share(takes)}, {within}")
        if missed.grew and not accepted.shrank:
            found.append(f"it misses {missed.as_share(takes)}")
        if accepted.grew and not missed.shrank:
            found.append(
                f"it has {counted(accepted.after, 'false accept')} instead of {accepted.before}"
            )
        old, new = self.clips_before.mistakes, self.clips_after.mistakes
        if new > old:
            found.append(f"it gets {new} of the labelled clips wrong instead of {old}")
        return found

    def rows(self) -> list[tuple[str, str, str]]:
        """Return a table: what was measured, before, after."""
        rows = []
        for name, report in self.before.reports.items():
            one, other = self._counts(name, StreamReport.missed)
            rows.append((f"missed, {name}", *_of(one, other, f"of {len(report.takes)}")))
        for name, report in self.before.reports.items():
            if report.hours:
                one, other = self._counts(name, StreamReport.accepts)
                hours = f"in {report.hours:.2f} h"
                rows.append((f"false accepts, {name}", *_of(one, other, hours)))
        takes = sum(len(report.takes) for report in self.before.reports.values())
        change = self._missed(*self.equal())
        before, after = f"{change.before / takes:.1%}", f"{change.after / takes:.1%}"
        rows.append((f"missed at {TARGET:g} false accepts an hour", before, after))
        old, new = self.clips_before, self.clips_after
        rows.append(("labelled clips, missed", *_of(old.missed, new.missed, f"of {old.said}")))
        rows.append(
            ("labelled clips, accepted", *_of(old.accepted, new.accepted, f"of {old.other}"))
        )
        return rows

    def figures(self) -> dict[str, Any]:
        """Return the same as plain data."""
        return {
            "before": figures(self.before) | {"clips": asdict(self.clips_before)},
            "after": figures(self.after) | {"clips": asdict(self.clips_after)},
            "worse": self.worse(),
        }

    def _defaults(self) -> tuple[float, float]:
        return self.before.threshold, self.after.threshold

    def _missed(self, before: float, after: float) -> _Change:
        return _Change.of_misses(self.before, self.after, before, after)

    def _counts(
        self, condition: str, count: Callable[[StreamReport, float], int]
    ) -> tuple[int, int]:
        one, other = (count(e.reports[condition], e.threshold) for e in (self.before, self.after))
        return one, other


@dataclass(frozen=True)
class _Change:
    """A number of mistakes, before and after, and how many are new and gone."""

    before: int
    after: int
    new: int
    gone: int

    @classmethod
    def of_counts(cls, before: int, after: int) -> _Change:
        """Return the change of a count whose members cannot be matched."""
        return cls(before, after, after, before)

    @classmethod
    def of_misses(
        cls, before: Evaluation, after: Evaluation, threshold: float, other: float
    ) -> _Change:
        """Return the change of the missed takes; each counts once under every condition."""
        pairs = [
            (one.missed(threshold), same.missed(other))
            for name, report in before.reports.items()
            for one, same in zip(report.takes, after.reports[name].takes, strict=True)
        ]
        return cls(
            before=sum(was for was, _ in pairs),
            after=sum(now for _, now in pairs),
            new=sum(now and not was for was, now in pairs),
            gone=sum(was and not now for was, now in pairs),
        )

    def as_share(self, of: int) -> str:
        """Return both as shares of a number, the new one first."""
        return f"{self.after / of:.1%} instead of {self.before / of:.1%}"

    @property
    def grew(self) -> bool:
        """Whether there are more, beyond what chance explains: a one-sided sign test."""
        return self.after > self.before and _by_chance(self.new, self.gone) <= CHANCE

    @property
    def shrank(self) -> bool:
        """Whether there are fewer, beyond what chance explains."""
        return self.after < self.before and _by_chance(self.gone, self.new) <= CHANCE


def _by_chance(many: int, few: int) -> float:
    """Return how likely so many of them are, or more, where each is as likely one as the other."""
    total = many + few
    return sum(comb(total, count) for count in range(many, total + 1)) / (1 << total)


def name_of_run(word: str, start: Path, more: Path) -> str:
    """Return a name that no run with another model or with other clips has.

    Raises:
        ModelError: there is no model to start from.

    """
    listed = folder_of(more) / manifest.NAME
    clips = listed.read_bytes() if listed.is_file() else b""
    return f"{word}-more-{digest([read_model(start).card.checksum, clips.hex()])[:8]}"


def improve_word(
    job: TrainingJob,
    on_epoch: Callable[[dict[str, Any]], None],
    on_compared: Callable[[Comparison], None],
    together: Processes,
    plan: Plan,
) -> Trained | None:
    """Train a word on from a model, with labelled clips, and write it unless it is worse.

    Args:
        job: what to train, with `more` and one of `starts`.
        on_epoch: called with each epoch's row of metrics.
        on_compared: called with what both models do, before anything is written.
        together: the processes that train together.
        plan: what `plan_word` returned for this job.

    Returns:
        what came of it; None in every process but the first, where several train together.

    Raises:
        TrainingError: as for `train_word`; or the new model is worse, and nothing is written.

    """
    if len(job.starts) != 1 or job.more is None:
        raise TrainingError("a word is improved from one model, with labelled clips")
    check_output(job.output, MODEL_SUFFIX)
    model = read_model(job.starts[0])
    if model.card.name != job.word:
        raise TrainingError(f"{job.starts[0]} hears {model.card.name!r}, not {job.word!r}")
    with held(job.run, together):
        fitted = fit_word(job, on_epoch, together, plan)
        if fitted is None:
            return None
        comparison = _compare(model, fitted, read_corpus(folder_of(job.more)))
        on_compared(comparison)
        if reasons := comparison.worse():
            raise TrainingError(
                f"the new model is worse, so it is not written and {job.output} stays as it is:"
                f" {'; '.join(reasons)}; a clip with a wrong label may be the cause"
            )
        return write_word(job, fitted)


def _compare(model: Model, fitted: Fitted, labelled: Corpus) -> Comparison:
    """Measure a model as the trained one was measured, and both on the labelled clips."""
    conditions, _ = measurable()
    speech = fitted.validation.test
    old = {
        condition.name: measure_model(model, speech, condition)
        for condition in track(
            conditions, len(conditions), "measuring the model before", "condition"
        )
    }
    hours = None if fitted.hours is None else measure(model.network(), fitted.hours)
    measured = fitted.results.measured
    return Comparison(
        before=_evaluation("before", model, old, hours),
        after=_evaluation("after", fitted.model, measured.test, measured.long_form),
        clips_before=hear(model, labelled),
        clips_after=hear(fitted.model, labelled),
    )


def _evaluation(
    name: str, model: Model, reports: Mapping[str, StreamReport], hours: StreamReport | None
) -> Evaluation:
    """Return what was measured, the synthetic speech among what was heard in the clean."""
    counted = dict(reports)
    if hours is not None:
        counted[CLEAN.name] = counted[CLEAN.name].joined(hours)
    return Evaluation(name, model.phrase, model.threshold, counted)


def _of(before: int, after: int, total: str) -> tuple[str, str]:
    return f"{before} {total}", f"{after} {total}"


def _accepts(one: Evaluation) -> int:
    return sum(report.accepts(one.threshold) for report in one.reports.values() if report.hours)
