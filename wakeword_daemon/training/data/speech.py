"""Speech by natural synthetic voices to train with, made once and kept.

Every kind has a folder of its own, named by what goes into it, and asked for more it grows. A
second of it costs about half a second of one core. Where Kokoro is missing, nothing is returned and
the log says what is missing.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import random
from collections.abc import Callable, Iterator
from pathlib import Path

from wakeword_daemon.training.data import kokoro, neighbours, sentences, synthesis
from wakeword_daemon.training.data.synthesis import Utterance

logger = logging.getLogger(__name__)

_TONES = (".", ".", "!", "?", ",")
"""How a word that stands alone is said: told, called, asked, or with more to come."""
_SENTENCES = (0.7, 1.3)
"""Speeds of whole sentences; slower ones are hardly said."""
_CHECKED = 20
"""Takes that a folder's name is made of: other texts or voices go into another one."""


def word_takes(phrase: str, count: int, cache: Path, seed: int = 0) -> list[Utterance]:
    """Return takes of the phrase alone, by many voices, slow and fast, with their word spans."""

    def texts(rng: random.Random) -> Iterator[str]:
        while True:
            yield phrase + rng.choice(_TONES)

    return _spoken(f"word-{_name(phrase)}", texts, count, cache, seed, phrase=phrase)


def carrier_takes(phrase: str, count: int, cache: Path, seed: int = 0) -> list[Utterance]:
    """Return sentences that hold the phrase, with its span: in front, after “hey”, inside, last."""

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
    """Return what people ask of a voice assistant, without a wake word; strangers' if held out."""
    kind = "stranger-order" if held_out else "order"
    return _spoken(kind, sentences.orders, count, cache, seed, speeds=_SENTENCES, held_out=held_out)


def everyday_takes(count: int, cache: Path, seed: int = 0) -> list[Utterance]:
    """Return everyday sentences of a wide vocabulary.

    A wake word may be among them where it is a usual one; leave out a text that holds it.
    """
    return _spoken("everyday", sentences.everyday, count, cache, seed, speeds=_SENTENCES)


def _spoken(
    kind: str,
    texts: Callable[[random.Random], Iterator[str]],
    count: int,
    cache: Path,
    seed: int,
    *,
    phrase: str = "",
    speeds: tuple[float, float] = (0.55, 1.3),
    held_out: bool = False,
) -> list[Utterance]:
    missing = kokoro.lacking()
    if missing:
        logger.warning("training goes on without natural synthetic voices: %s", missing)
        return []

    def draws() -> tuple[Iterator[str], Iterator[synthesis.Voice]]:
        # Texts and voices each have their own draws: a change to one leaves the other alone.
        said, by = (random.Random(f"{seed} {kind} {what}") for what in ("texts", "voices"))  # noqa: S311 - a seed, not a secret
        return texts(said), synthesis.natural_voices(by, held_out=held_out, speeds=speeds)

    first = "\n".join(
        f"{text} {voice}" for text, voice in itertools.islice(zip(*draws(), strict=False), _CHECKED)
    )
    key = hashlib.sha256(first.encode()).hexdigest()[:8]
    folder = cache / "speech" / f"kokoro-{kind}-{seed}-{key}"
    return synthesis.make(*draws(), count, folder, phrase)


def _name(phrase: str) -> str:
    return phrase.replace(" ", "_")
