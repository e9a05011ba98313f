"""Speaker-wise cross-validation: how well a word works for speakers that were not trained on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from wakeword_daemon.errors import TrainingError
from wakeword_daemon.storage import write_atomically
from wakeword_daemon.training.data.corpus import read_corpus
from wakeword_daemon.training.fit.distributed import Processes
from wakeword_daemon.training.measure.report import Measured, Results, pooled, write_folds
from wakeword_daemon.training.plan import TrainingJob
from wakeword_daemon.training.runfolder import check_output, held
from wakeword_daemon.training.word import MODEL_SUFFIX, train_word

logger = logging.getLogger(__name__)


def cross_validate(
    job: TrainingJob,
    groups: int,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
    processes: Processes | None = None,
) -> Measured | None:
    """Train a word once for each group of its speakers, without that group, and report on all.

    Every take is measured by the network that was not trained on its speaker. The validation split
    is not used. `job.output` is the report; the networks stay in folders of their own in
    `job.run`.

    Args:
        job: what to train.
        groups: number of groups of speakers, at least 2.
        on_epoch: called with each epoch's row of metrics.
        processes: the processes that train together; None for this one alone.

    Returns:
        what was measured; None in every process but the first, where several train together.

    Raises:
        TrainingError: the recordings or the output cannot be used, or a group would be too small.

    """
    together = processes or Processes()
    check_output(job.output, ".md")
    if job.data is None:
        raise TrainingError("--folds needs --data: a folder of recordings by many speakers")
    trained = read_corpus(job.data, split_file=job.run / "split.json", seed=job.settings.seed)
    speakers = {r.speaker for r in trained.in_split("train") if r.word == job.word and r.speaker}
    if len(speakers) < 2 * groups:
        raise TrainingError(
            f"{job.word!r} has too few speakers to train on: {len(speakers)} of the {2 * groups} "
            f"that {groups} groups need"
        )
    folds: list[Results] = []
    with held(job.run, together):
        for index in range(groups):
            logger.info("fold %d of %d", index + 1, groups)
            run = job.run / str(index + 1)
            output = run / f"{job.word}{MODEL_SUFFIX}"
            fold = replace(job, fold=(index, groups), run=run, output=output)
            trained_fold = train_word(fold, on_epoch, together)
            if trained_fold is not None:
                folds.append(trained_fold.results)
    if not folds:
        return None
    write_atomically(job.output, write_folds(folds, job.command).encode())
    return pooled([results.measured for results in folds])
