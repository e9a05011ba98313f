"""Speech by fast, simple synthesizers: the word, and what sounds like it, in many voices.

espeak-ng, flite and festival, whichever are installed, synthesize a hundred times faster than
people speak.
"""

from __future__ import annotations

import itertools
import logging
import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wakeword_daemon.training.data import neighbours, synthesis
from wakeword_daemon.training.data.cache import digest
from wakeword_daemon.training.data.mishearings import mishearings
from wakeword_daemon.training.data.synthesis import SpeakingJob, Voice, holds

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SimpleSpeech:
    """Files of synthetic speech.

    Attributes:
        word: the word, by many voices.
        nonsense: near-sounding nonsense, in English accents.
        similar: near-sounding words of the dictionary.
        misheard: common words that together sound like it.
        running: words of the dictionary in random order.
        invented: invented words, in thirty accents.
        respelt: the word with some of its letters changed, in foreign accents.

    """

    word: list[Path] = field(default_factory=list)
    nonsense: list[Path] = field(default_factory=list)
    similar: list[Path] = field(default_factory=list)
    misheard: list[Path] = field(default_factory=list)
    running: list[Path] = field(default_factory=list)
    invented: list[Path] = field(default_factory=list)
    respelt: list[Path] = field(default_factory=list)


def simple_jobs(
    phrase: str | None, count: int, cache: Path, seed: int, left_out: Collection[str] = ()
) -> dict[str, SpeakingJob]:
    """Return what simple synthesizers have to say for one word, by kind as in `SimpleSpeech`.

    If none is installed, the log says so.

    Args:
        phrase: the word as the voices read it; None for what all words share.
        count: takes of the word; other speech is in proportion.
        cache: folder for what is made once.
        seed: of texts and voices.
        left_out: engines that nothing is trained on.

    """
    installed = [engine for engine in synthesis.engines() if engine not in left_out]
    if not count or not installed:
        if count:
            logger.warning("no speech synthesizer is installed: training on recordings alone")
        return {}
    jobs: dict[str, SpeakingJob] = {}

    def add(
        kind: str,
        of: str,
        texts: Callable[[random.Random], Iterator[str]],
        many: int,
        *,
        engines: list[str] = installed,
        accents: Sequence[str] = synthesis.ESPEAK_ACCENTS,
    ) -> None:
        # Each kind has its own draws, so that finding one in the cache does not change another. The
        # first words are part of the folder's name, as another version may say others.
        own = f"{seed} {of}"
        first = itertools.islice(texts(random.Random(own)), 20)  # noqa: S311 - a seed, not a secret
        key = digest([*first, *engines, *accents])[:8]

        def draws() -> tuple[Iterator[str], Iterator[Voice]]:
            rng = random.Random(own)  # noqa: S311 - not for secrets
            said = texts(rng)
            return said, synthesis.voices(rng, engines, accents=accents)

        folder = cache / "speech" / f"{of}-{many}-{seed}-{key}"
        jobs[kind] = SpeakingJob(of.replace("_", " "), draws, many, folder)

    speaks_phonemes = "espeak" in installed
    foreign = synthesis.FOREIGN_ACCENTS
    if phrase is not None:
        name = phrase.replace(" ", "_")
        add("word", name, lambda _: itertools.repeat(phrase), count)
    if phrase is not None and speaks_phonemes:
        nonsense, respelt = f"nonsense-{name}", f"respelt-{name}"
        add(
            "nonsense",
            nonsense,
            lambda r: neighbours.nonsense(phrase, r),
            2 * count,
            engines=["espeak"],
        )
        add("similar", f"similar-{name}", lambda r: neighbours.similar(phrase, cache, r), 2 * count)
        add("misheard", f"misheard-{name}", lambda r: mishearings(phrase, r), 2 * count)
        add(
            "respelt",
            respelt,
            lambda r: neighbours.respelt(phrase, r),
            2 * count,
            engines=["espeak"],
            accents=foreign,
        )
    if speaks_phonemes:
        both = (*synthesis.ESPEAK_ACCENTS, *foreign)
        add(
            "invented",
            "invented",
            neighbours.invented_words,
            4 * count,
            engines=["espeak"],
            accents=both,
        )
    add("running", "running", neighbours.running_speech, 4 * count)
    return jobs


def speak_simply(jobs: Mapping[str, SpeakingJob], without: Sequence[str]) -> SimpleSpeech:
    """Return the simple speech that one word is trained with; it is made once and kept.

    Args:
        jobs: as `simple_jobs` gives them.
        without: what no other speech may hold: the word as it is written and as it is read.

    """
    said = {
        kind: [u.path for u in job.make() if kind == "word" or not holds(u.text, without)]
        for kind, job in jobs.items()
    }
    return SimpleSpeech(**said)
