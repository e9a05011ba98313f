"""Speech by fast, simple synthesizers: the word, and what sounds like it, in many voices.

espeak-ng, flite and festival, whichever are installed, synthesize a hundred times faster than
people speak.
"""

from __future__ import annotations

import itertools
import logging
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wakeword_daemon.training.data import neighbours, synthesis
from wakeword_daemon.training.data.cache import digest

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SimpleSpeech:
    """Files of synthetic speech.

    Attributes:
        word: the word, by many voices.
        nonsense: near-sounding nonsense, in English accents.
        similar: near-sounding words of the dictionary.
        running: words of the dictionary in random order.
        invented: invented words, in thirty accents.
        respelt: the word with some of its letters changed, in foreign accents.

    """

    word: list[Path] = field(default_factory=list)
    nonsense: list[Path] = field(default_factory=list)
    similar: list[Path] = field(default_factory=list)
    running: list[Path] = field(default_factory=list)
    invented: list[Path] = field(default_factory=list)
    respelt: list[Path] = field(default_factory=list)


def speak_simply(phrase: str, count: int, cache: Path, seed: int) -> SimpleSpeech:
    """Return `count` takes of a phrase, and other speech in proportion, made once and kept.

    If no synthesizer is installed, the log says so, and nothing is returned.
    """
    installed = synthesis.engines()
    if not count or not installed:
        if count:
            logger.warning("no speech synthesizer is installed: training on recordings alone")
        return SimpleSpeech()
    name = phrase.replace(" ", "_")

    def make(
        kind: str,
        texts: Callable[[random.Random], Iterator[str]],
        many: int,
        engines: list[str] = installed,
        accents: Sequence[str] = synthesis.ESPEAK_ACCENTS,
    ) -> list[Path]:
        # Each kind has its own draws, so that finding one in the cache does not change another. The
        # first words are part of the folder's name, as another version may say others.
        own = f"{seed} {kind}"
        first = itertools.islice(texts(random.Random(own)), 20)  # noqa: S311 - a seed, not a secret
        key = digest([*first, *engines, *accents])[:8]
        folder = cache / "speech" / f"{kind}-{many}-{seed}-{key}"
        rng = random.Random(own)  # noqa: S311 - likewise
        voices = synthesis.voices(rng, engines, accents=accents)
        said = synthesis.make(texts(rng), voices, many, folder)
        return [u.path for u in said if phrase not in u.text or kind == name]

    nonsense: list[Path] = []
    similar: list[Path] = []
    invented: list[Path] = []
    respelt: list[Path] = []
    if "espeak" in installed:  # only it reads and writes phonemes
        nonsense = make(
            f"nonsense-{name}", lambda rng: neighbours.nonsense(phrase, rng), 2 * count, ["espeak"]
        )
        similar = make(
            f"similar-{name}", lambda rng: neighbours.similar(phrase, cache, rng), 2 * count
        )
        invented = make(
            "invented",
            neighbours.invented_words,
            4 * count,
            ["espeak"],
            (*synthesis.ESPEAK_ACCENTS, *synthesis.FOREIGN_ACCENTS),
        )
        respelt = make(
            f"respelt-{name}",
            lambda rng: neighbours.respelt(phrase, rng),
            2 * count,
            ["espeak"],
            synthesis.FOREIGN_ACCENTS,
        )
    return SimpleSpeech(
        word=make(name, lambda _: itertools.repeat(phrase), count),
        nonsense=nonsense,
        similar=similar,
        running=make("running", neighbours.running_speech, 4 * count),
        invented=invented,
        respelt=respelt,
    )
