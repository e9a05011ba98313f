"""What a training run is asked for, and what it will do."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wakeword_daemon.training.data.corpus import read_corpus
from wakeword_daemon.training.data.progress import Stage
from wakeword_daemon.training.data.reading import SECONDS
from wakeword_daemon.training.data.synthesis import SpeakingJob
from wakeword_daemon.training.fit.trainer import TrainingSettings
from wakeword_daemon.training.material import Voices, voices_for
from wakeword_daemon.training.measure.validation import LONG_FORM, long_form_job
from wakeword_daemon.training.runfolder import epochs_done
from wakeword_daemon.training.supply import Supply, supply


@dataclass(frozen=True)
class TrainingJob:
    """What to train, from which recordings, and where the results go.

    Attributes:
        word: its name in the corpus, and later in settings and events.
        phrase: the word as it is written.
        read_as: the word as synthetic voices read it.
        data: folder of recordings with other speech; None for none.
        takes: folder of the user's own recordings of the word; None for none.
        output: the model file, with the card beside it as .md; or the report on folds. A model
            that should not be used stays in `run`.
        run: folder of this run's checkpoints and metrics.
        cache: folder for what is computed once and used by all runs.
        synthetic: synthetic takes to make; 0 for none.
        fold: which group of the training speakers to validate with, and of how many groups; None
            for the validation split.
        licences: licence of each source, for the card.
        settings: how to train.
        starts: models whose weights the networks start from, in their order; where there are more
            networks, these start from chance.
        teachers: models of the same word to learn from, beside the recordings.
        more: labelled clips to learn from beside the recordings; None for none.
        device: what computes, as torch names it.
        workers: processes that compose training sequences beside it.
        command: the command line that started it, for the card.

    """

    word: str
    phrase: str
    read_as: str
    data: Path | None
    takes: Path | None
    output: Path
    run: Path
    cache: Path
    synthetic: int
    fold: tuple[int, int] | None
    licences: Mapping[str, str]
    settings: TrainingSettings
    command: str
    starts: tuple[Path, ...] = ()
    teachers: tuple[Path, ...] = ()
    more: Path | None = None
    device: str = "cpu"
    workers: int = 0


@dataclass(frozen=True)
class Plan:
    """What a training run will do.

    Attributes:
        supply: the recordings.
        voices: what synthetic voices have to say to train on.
        hours: what they have to say to count false accepts in; None for nothing.
        epochs: epochs that are still to be trained.
        settings: how to train.

    """

    supply: Supply
    voices: Voices
    hours: SpeakingJob | None
    epochs: int
    settings: TrainingSettings

    @property
    def jobs(self) -> list[SpeakingJob]:
        """All that synthetic voices have to say."""
        said = [*self.supply.jobs, *self.voices.simple.values(), *self.voices.natural.values()]
        return said if self.hours is None else [*said, self.hours]

    @functools.cached_property
    def stages(self) -> list[Stage]:
        """What is done, with the time it takes."""
        s = self.settings
        cores = len(os.sched_getaffinity(0))
        recordings = len(self.supply.given.recordings) + sum(one.missing() for one in self.jobs)
        return [
            Stage(SPEAKING, sum(one.seconds() for one in self.jobs) / cores),
            Stage(READING, _READING + SECONDS * recordings),
            Stage(TRAINING, self.epochs * (s.batches * s.batch_seconds + _EPOCH)),
            Stage(MEASURING, _MEASURING),
        ]


SPEAKING, READING, TRAINING, MEASURING = "speaking", "reading", "training", "measuring"
"""The stages of a plan."""
_READING = 20.0
_MEASURING = 150.0
_EPOCH = 6.0
"""Seconds: reading everything, measuring at the end, and measuring after an epoch."""


def plan_word(job: TrainingJob) -> Plan:
    """Return what a training run will do, without doing any of it.

    Raises:
        TrainingError: the recordings cannot be used.

    """
    seed = job.settings.seed
    data = None
    if job.data is not None:
        data = read_corpus(job.data, split_file=job.run / "split.json", seed=seed)
    some = job.synthetic > 0
    if data is not None and job.fold is not None:
        given = Supply(data.fold(*job.fold))
    else:
        given = supply(job.word, job.read_as, data, job.takes, job.cache, synthetic=some, seed=seed)
    voices = voices_for(
        job.phrase,
        job.read_as,
        job.cache,
        synthetic=job.synthetic,
        seed=seed,
        left_out=given.left_out,
    )
    hours = long_form_job(job.cache, LONG_FORM if some else 0)
    epochs = max(0, job.settings.epochs - epochs_done(job.run))
    return Plan(given, voices, hours, epochs, job.settings)
