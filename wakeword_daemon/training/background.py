"""Speech and noise for training and measuring all words: made once, and kept in the cache."""

from __future__ import annotations

from pathlib import Path

from wakeword_daemon.errors import TrainingError
from wakeword_daemon.training.data import strangers
from wakeword_daemon.training.data.noises import noises
from wakeword_daemon.training.data.progress import Stage, plan
from wakeword_daemon.training.data.simple_speech import simple_jobs
from wakeword_daemon.training.data.speech import INSTEAD_OF_PEOPLE, natural_jobs
from wakeword_daemon.training.data.synthesis import SpeakingJob, engines
from wakeword_daemon.training.measure.validation import LONG_FORM, long_form_job


def background_jobs(
    phrase: str | None, cache: Path, *, synthetic: int, seed: int
) -> list[SpeakingJob]:
    """Return the other speech for training and measuring a word.

    Args:
        phrase: whose near-sounding words are wanted too; None for what all words share.
        cache: folder for what is made once.
        synthetic: as `train --synthetic`.
        seed: as `train --seed`.

    Raises:
        TrainingError: no synthesizer is installed.

    """
    if "espeak" not in engines():
        raise TrainingError("no synthesizer is installed: sudo apt install espeak-ng flite")
    left_out = strangers.left_out()
    jobs = [
        job
        for kinds in (
            simple_jobs(phrase, synthetic, cache, seed, left_out),
            natural_jobs(phrase, INSTEAD_OF_PEOPLE, cache, seed, left_out),
        )
        for kind, job in kinds.items()
        if kind not in ("word", "carriers")
    ]
    hours = long_form_job(cache, LONG_FORM)
    return [*jobs, *strangers.sentence_jobs(cache, seed), *([] if hours is None else [hours])]


def make_background(jobs: list[SpeakingJob], cores: int, cache: Path) -> None:
    """Make what the cache lacks, with one progress bar; an interrupted call is continued."""
    stages = [Stage(job.title, job.seconds() / cores) for job in jobs]
    with plan(stages) as bar:
        for job in jobs:
            bar.enter(job.title)
            job.make()
    noises(cache)
