"""Speech by synthesizers that are left out of training: they stand in for strangers."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

from wakeword_daemon.errors import TrainingError
from wakeword_daemon.training.data import kokoro, speech, synthesis
from wakeword_daemon.training.data.cache import digest
from wakeword_daemon.training.data.corpus import Recording
from wakeword_daemon.training.data.synthesis import SpeakingJob, Utterance, Voice

ENGINES = ("flite", "pico")
"""Engines that are not used for training if there are no people to measure on."""
SOURCE = "left-out voices"
"""What tables call them."""

_TAKES = 60
"""Takes of the word by each of the engines."""
_NATURAL_TAKES = 40
"""The same by voices of Kokoro's that are left out; the engine itself is not."""
_SENTENCES = 300
_NATURAL_SENTENCES = 60


def left_out() -> list[str]:
    """Return the engines that are left out of training here.

    Raises:
        TrainingError: none of them is installed, so nothing could be measured.

    """
    found = [engine for engine in ENGINES if engine in synthesis.installed_engines()]
    if not found:
        raise TrainingError(
            "there is nothing to measure the word on: install a synthesizer that is not used for "
            "training (sudo apt install flite), or give recordings by two people for validation"
        )
    return found


def stranger_jobs(phrase: str, cache: Path, seed: int) -> list[SpeakingJob]:
    """Return what the left-out voices have to say: takes of the word, then other speech.

    Raises:
        TrainingError: no engine is left out.

    """
    jobs = [_takes(phrase, engine, cache, seed) for engine in left_out()]
    if not kokoro.lacking():
        jobs.append(speech.word_job(phrase, _NATURAL_TAKES, cache, seed, held_out=True))
    return [*jobs, *sentence_jobs(cache, seed)]


def sentence_jobs(cache: Path, seed: int) -> list[SpeakingJob]:
    """Return the other speech by the left-out voices, the same for all words."""
    jobs = [speech.sentence_job("strangers", _SENTENCES, left_out(), cache, seed, held_out=None)]
    if not kokoro.lacking():
        jobs.append(speech.order_job(_NATURAL_SENTENCES, cache, seed, held_out=True))
    return jobs


def strangers(word: str, phrase: str, jobs: list[SpeakingJob]) -> list[Recording]:
    """Return recordings by the left-out voices, for measuring; they are made once and kept.

    Args:
        word: the word's name.
        phrase: the word as the voices read it.
        jobs: as `stranger_jobs` gives them.

    """
    found: list[Recording] = []
    for job in jobs:
        for one in job.make():
            alone = one.text.rstrip(".!?,") == phrase
            if alone or not synthesis.holds(one.text, [phrase]):
                found.append(_recording(one, word if alone else ""))
    return found


def _takes(phrase: str, engine: str, cache: Path, seed: int) -> SpeakingJob:
    def draws() -> tuple[Iterator[str], Iterator[Voice]]:
        rng = random.Random(f"{seed} {engine} strangers")  # noqa: S311 - a seed, not a secret
        return itertools.repeat(phrase), synthesis.voices(rng, [engine], held_out=None)

    folder = cache / "speech" / f"strangers-{engine}-{seed}-{digest([phrase])[:8]}"
    return SpeakingJob(f"{engine} {phrase}", draws, _TAKES, folder)


def _recording(one: Utterance, word: str) -> Recording:
    engine = one.voice.engine
    # A mixture of Kokoro's goes by its first voice; its accent, and espeak-ng's, say nothing.
    voice = one.voice.name.rpartition("/")[2] if engine != "kokoro" else _first(one.voice.name)
    return Recording(
        path=one.path,
        word=word,
        speaker=f"{SOURCE}/{engine} {voice}",
        split="val",
        source=SOURCE,
        noise=False,
    )


def _first(name: str) -> str:
    return name.partition("/")[2].partition("+")[0]
