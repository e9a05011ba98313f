"""Finished models, measured on recordings under all conditions, as tables in Markdown."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wakeword_daemon.engine.modelfile import Model
from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.training.data.beginnings import beginning_of
from wakeword_daemon.training.data.corpus import Corpus, Recording, Split, read_corpus
from wakeword_daemon.training.data.takes import usable_takes
from wakeword_daemon.training.measure.conditions import CLEAN, Condition, measurable
from wakeword_daemon.training.measure.evaluation import (
    SpeechSet,
    StreamReport,
    build_streams,
    measure,
)
from wakeword_daemon.training.measure.report import (
    conditions_table,
    sources_table,
    speakers_table,
    together,
)
from wakeword_daemon.training.measure.validation import read_split

logger = logging.getLogger(__name__)

TARGET = 0.5
"""False accepts an hour at whose threshold misses are reported, besides those at the default."""


@dataclass(frozen=True)
class Evaluation:
    """One model under every condition.

    Attributes:
        name: what tables call it: the word, or the word and the folder of the file.
        phrase: the word as it is spoken.
        threshold: the model's default.
        reports: by the condition's name.

    """

    name: str
    phrase: str
    threshold: float
    reports: Mapping[str, StreamReport]


def evaluate(
    models: Mapping[str, Model],
    data: Path,
    cache: Path,
    *,
    split: Split = "val",
    hours: float | None = None,
    on_done: Callable[[str], None] | None = None,
) -> Iterator[Evaluation]:
    """Measure models under all conditions on one split of a folder of recordings.

    Each recording is read once for all models. If people say only the end of a phrase in them,
    Kokoro says its beginning before it.

    Args:
        models: by the name that tables call them.
        data: folder of recordings.
        cache: folder for what is made once.
        split: which half of them.
        hours: other speech to count false accepts in, at most; None for all there is.
        on_done: called with what has been measured.

    Raises:
        TrainingError: the folder has no takes of a word, or cannot be read.

    """
    conditions, missing = measurable()
    if missing:
        logger.warning(
            "not measured, because praat-parselmouth is not installed: %s", ", ".join(missing)
        )
    corpus = read_corpus(data)
    audio = read_split(corpus, split, hours)
    for name, model in models.items():
        word = model.card.name
        said = [r for r in _said(corpus, model, cache) if r.split == split]
        takes, _ = usable_takes(said, FeatureSettings())
        recordings = audio.speech_set(word, takes)
        reports = {}
        for condition in conditions:
            reports[condition.name] = measure_model(model, recordings, condition)
            if on_done:
                on_done(f"{name}, {condition.name}")
        yield Evaluation(name, model.card.phrase, model.threshold, reports)


def _said(corpus: Corpus, model: Model, cache: Path) -> list[Recording]:
    """Return the recordings in which the word of a model is said."""
    word = model.card.name
    said = [r for r in corpus.recordings if r.word == word]
    if said:
        return said
    beginning = beginning_of(model.card.phrase, corpus, cache, seed=0)
    return [] if beginning is None else beginning.whole_takes(corpus, word, cache)


def measure_model(model: Model, data: SpeechSet, condition: Condition = CLEAN) -> StreamReport:
    """Measure a model file under one condition."""
    return measure(model.network(), build_streams(data, model.card.features, condition))


def figures(one: Evaluation) -> dict[str, Any]:
    """Return a model's figures at its default threshold as plain data, by condition."""
    conditions: dict[str, Any] = {}
    for name, report in one.reports.items():
        missed = report.missed(one.threshold)
        conditions[name] = {
            "takes": len(report.takes),
            "missed": missed,
            "miss_rate": missed / len(report.takes),
        }
        if report.hours:
            accepts = report.accepts(one.threshold)
            conditions[name] |= {
                "hours": report.hours,
                "false_accepts": accepts,
                "false_accepts_per_hour": accepts / report.hours,
            }
    figures = {"name": one.name, "phrase": one.phrase, "threshold": one.threshold}
    return figures | {"conditions": conditions}


def write_evaluation(evaluations: Sequence[Evaluation], command: str) -> str:
    """Return the tables of several models in Markdown: side by side, then each on its own."""
    defaults = [one.threshold for one in evaluations]
    equal = [together(one.reports).at(TARGET).threshold for one in evaluations]
    parts = [
        f"Made by\n\n    {command}\n",
        "Each at its default threshold:",
        side_by_side(evaluations, defaults),
        (
            "Each at the lowest threshold that keeps all other speech of this table within "
            f"{TARGET:g} false accepts an hour, which makes models comparable:"
        ),
        side_by_side(evaluations, equal),
    ]
    for one, strict in zip(evaluations, equal, strict=True):
        parts += [
            f"## {one.name}: “{one.phrase}”, default threshold {one.threshold:g}",
            conditions_table(one.reports, one.threshold, {f"missed at ≤ {TARGET:g}/h": strict}),
            (
                f"The last column is at a threshold of {strict:.4f}, the lowest that keeps all "
                f"other speech of this table within {TARGET:g} false accepts an hour."
            ),
            "False accepts by source, at the default threshold:",
            sources_table(one.reports, one.threshold),
            "Missed by speaker, at the default threshold:",
            speakers_table(one.reports, one.threshold),
        ]
    return "\n\n".join(parts) + "\n"


def side_by_side(evaluations: Sequence[Evaluation], thresholds: Sequence[float]) -> str:
    """Return one table of all models, each at a threshold: misses, then false accepts."""
    head = "| | " + " | ".join(one.name for one in evaluations) + " | mean |"
    rows = [head, "|---" * (len(evaluations) + 2) + "|"]
    first = evaluations[0].reports
    takes = [str(len(one.reports[CLEAN.name].takes)) for one in evaluations]
    rows.append(f"| takes | {' | '.join(takes)} | |")
    for condition in first:
        rates = [
            one.reports[condition].missed(threshold) / len(one.reports[condition].takes)
            for one, threshold in zip(evaluations, thresholds, strict=True)
        ]
        cells = " | ".join(f"{rate:.1%}" for rate in rates)
        rows.append(f"| missed, {condition} | {cells} | {sum(rates) / len(rates):.1%} |")
    for condition in (name for name, report in first.items() if report.hours):
        rates = [
            one.reports[condition].accepts(threshold) / one.reports[condition].hours
            for one, threshold in zip(evaluations, thresholds, strict=True)
        ]
        cells = " | ".join(f"{rate:.2f}" for rate in rates)
        rows.append(
            f"| false accepts an hour, {condition} | {cells} | {sum(rates) / len(rates):.2f} |"
        )
    return "\n".join(rows)
