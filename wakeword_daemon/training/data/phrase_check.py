"""What may go wrong with a phrase, said before anything is trained."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

from wakeword_daemon.counts import counted
from wakeword_daemon.training.data import neighbours, sentences, synthesis

KNOWN_WORDS = (
    "alexa", "amazon", "bixby", "computer", "cortana", "echo", "hey google", "hey jarvis",
    "hey mycroft", "hey siri", "okay google", "siri",
)  # fmt: skip
"""What other assistants listen for: theirs would answer too."""

FEWEST_SYLLABLES = 2
FEWEST_SOUNDS = 5
NEAR_WAKE_WORD, NEAR_WORD = 0.25, 0.2
"""By what share of its sounds a phrase differs from a wake word, or from another word, that is too
near to it."""
_HEARD = 4000
"""How many everyday sentences the phrase is looked for in."""
_MOST = 5


def complaints(phrase: str, others: Iterable[str], cache: Path) -> list[str]:
    """Return in a sentence each what makes a phrase a poor wake word.

    Args:
        phrase: the phrase as voices read it.
        others: names of the wake words that are installed here, such as smart_mirror.
        cache: folder for what is computed once.

    """
    sounds = synthesis.phonemes([phrase])[0]
    syllables = sum(sound in neighbours.VOWELS for sound in sounds)
    found: list[str] = []
    if syllables < FEWEST_SYLLABLES or len(sounds) < FEWEST_SOUNDS:
        size = f"{counted(syllables, 'syllable')} of {counted(len(sounds), 'sound')}"
        found.append(
            f"“{phrase}” is short: {size}. It will be heard in other words; one of three syllables"
            " or more is better."
        )
    if said := _said_anyway(phrase):
        found.append(
            f"“{phrase}” is common: people say it without meaning the machine, as in “{said}”."
        )
    installed = {name.replace("_", " ") for name in others}
    rivals = sorted({*KNOWN_WORDS, *installed} - {phrase.casefold()})
    if near := _near(sounds, rivals):
        found.append(
            f"“{phrase}” sounds like the wake word {_named(near)}: either may be taken for it."
        )
    alone = len(phrase.split()) == 1
    if alone and (words := neighbours.nearest(phrase, cache, NEAR_WORD * len(sounds))):
        found.append(
            f"“{phrase}” sounds like {_named(words[:_MOST])}: such words will set it off now and"
            " then."
        )
    return found


def _said_anyway(phrase: str) -> str:
    """Return an everyday sentence that holds a phrase; "" if none is known."""
    rng = random.Random(0)  # noqa: S311 - a sample, not a secret
    made = itertools.islice(
        zip(sentences.everyday(rng), sentences.orders(rng), strict=False), _HEARD
    )
    wanted = f" {phrase.casefold()} "
    for text in itertools.chain(sentences.SENTENCES, *made):
        if wanted in f" {text.casefold().replace(',', '').replace('?', '')} ":
            return text
    return ""


def _near(sounds: list[str], rivals: list[str]) -> list[str]:
    """Return the rivals that differ little from the phrase, from a part of it, or it from them."""
    found = []
    for rival, theirs in zip(rivals, synthesis.phonemes(rivals), strict=True):
        in_rival = neighbours.distances(sounds, [theirs])[0] / len(sounds)
        in_phrase = neighbours.distances(theirs, [sounds])[0] / len(theirs)
        if min(in_rival, in_phrase) <= NEAR_WAKE_WORD:
            found.append(rival)
    return found


def _named(words: Sequence[str]) -> str:
    return ", ".join(f"“{word}”" for word in words)
