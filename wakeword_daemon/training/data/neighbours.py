"""Texts without the wake word: near-sounding, invented and everyday words."""

from __future__ import annotations

import functools
import itertools
import logging
import os
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wakeword_daemon.training.data import synthesis
from wakeword_daemon.training.data.cache import cached, digest
from wakeword_daemon.training.data.progress import track
from wakeword_daemon.training.data.sentences import SENTENCES

logger = logging.getLogger(__name__)

DICTIONARY = Path("/usr/share/dict/words")
"""Debian's `wamerican`; without it the words of the built-in sentences are used."""

_SIMILAR = 400
"""How many words of the dictionary count as near-sounding to each word of a phrase."""
_PART = 1000
"""Words that espeak-ng is asked for at a time; every core asks it."""

# Sounds that may be taken for each other, in espeak-ng's notation of English.
# fmt: off
CONSONANTS = (
    "p", "b", "t", "d", "k", "g", "f", "v", "T", "D", "s", "z",
    "S", "Z", "tS", "dZ", "m", "n", "N", "l", "r", "w", "j", "h",
)
VOWELS = (
    "a", "aa", "A:", "A@", "0", "O:", "V", "I", "i:", "E", "eI", "aI", "oU", "u:", "U", "3:",
    "@", "aU", "OI", "I2", "i", "e@", "i@", "o@", "U@", "O@", "3", "@L", "I#", "a#", "@2",
)
# fmt: on
ONSETS: tuple[str, ...] = (*"bdfghklmnprstvwz", "ch", "kr", "sh", "st", "tr", "th")
CODAS: tuple[str, ...] = tuple("dfklmnrstx")


def dictionary() -> list[str]:
    """Return English words in lower case, sorted."""
    if DICTIONARY.exists():
        words = DICTIONARY.read_text(encoding="utf-8").split("\n")
    else:
        words = " ".join(SENTENCES).split()
    plain = {word.lower() for word in words if word.isascii() and word.isalpha() and len(word) > 1}
    return sorted(plain)


def nonsense(phrase: str, rng: random.Random) -> Iterator[str]:
    """Return near-sounding nonsense as phoneme input for espeak-ng, without end.

    Up to two thirds of the phrase's sounds are replaced, dropped or added, and the result differs
    by at least 2 sounds: near enough to be mistaken by the network, but not by a person. Accents
    differ in their vowels, so a changed vowel counts half.
    """
    sounds = synthesis.phonemes([phrase])[0]
    while True:
        changed = list(sounds)
        for _ in range(rng.randint(2, max(2, 2 * len(sounds) // 3))):
            at = rng.randrange(len(changed))
            same = VOWELS if changed[at] in VOWELS else CONSONANTS
            action = rng.choice(("exchange", "exchange", "exchange", "drop", "add"))
            if action == "exchange":
                changed[at] = rng.choice([s for s in same if s != changed[at]])
            elif action == "drop" and len(changed) > 2:  # noqa: PLR2004 - two sounds stay
                del changed[at]
            else:
                changed.insert(at, rng.choice(VOWELS if same is CONSONANTS else CONSONANTS))
        if distances(sounds, [changed])[0] >= 2:  # noqa: PLR2004 - see above
            yield "[['" + "_".join(changed) + "]]"


def similar(phrase: str, cache: Path, rng: random.Random) -> Iterator[str]:
    """Return words of the dictionary that sound like the phrase, without end.

    In a phrase of several words, one is replaced by a near-sounding one (smart mirror: start
    mirror, smart mere), or the near-sounding word stands alone. Words that contain the phrase, as
    Alexander contains alexa, are left out.
    """
    parts = phrase.split()
    near = [nearest(part, cache)[:_SIMILAR] for part in parts]
    while True:
        at = rng.randrange(len(parts))
        # The nearest are the hardest: they come up more often.
        word = near[at][min(int(rng.expovariate(3 / len(near[at]))), len(near[at]) - 1)]
        text = " ".join([*parts[:at], word, *parts[at + 1 :]])
        if len(parts) > 1 and rng.random() < 0.4:  # noqa: PLR2004 - a share
            text = word
        if phrase not in text:
            yield text


def running_speech(rng: random.Random) -> Iterator[str]:
    """Return everyday sentences and rows of random words from the dictionary, without end."""
    words = dictionary()
    common = sorted(set(" ".join(SENTENCES).lower().split()))
    while True:
        if rng.random() < 0.3:  # noqa: PLR2004 - a share
            yield ", ".join(rng.sample(SENTENCES, 2))
        else:
            yield " ".join(
                rng.choice(words if rng.random() < 0.6 else common)  # noqa: PLR2004 - a share
                for _ in range(rng.randint(5, 14))
            )


def invented_words(rng: random.Random) -> Iterator[str]:
    """Return one to five invented words of one to four syllables, without end.

    Other languages have many short words that no English sentence contains.
    """

    def syllable() -> str:
        onset, coda = rng.choice((*ONSETS, "")), rng.choice((*CODAS, "", "", ""))
        return onset + rng.choice("aeiou") + coda

    while True:
        yield ", ".join(
            "".join(syllable() for _ in range(rng.randint(1, 4))) for _ in range(rng.randint(1, 5))
        )


def respelt(phrase: str, rng: random.Random) -> Iterator[str]:
    """Return the phrase with at least two of its consonants replaced, without end.

    They are to be spoken in other languages, whose words may have the shape of the phrase, as
    “thalatha”, Arabic for three, has that of alexa.
    """
    consonants = [
        i for i, letter in enumerate(phrase) if letter.isalpha() and letter not in "aeiou"
    ]
    fewest = min(2, len(consonants))
    while True:
        letters = list(phrase)
        for at in rng.sample(consonants, rng.randint(fewest, len(consonants))):
            letters[at] = rng.choice([c for c in ONSETS if c != letters[at]])
        for at, letter in enumerate(phrase):
            if letter in "aeiou" and rng.random() < 0.3:  # noqa: PLR2004 - a share
                letters[at] = rng.choice("aeiou")
        if letters[0] in "aeiou" and rng.random() < 0.4:  # noqa: PLR2004 - a share
            letters.insert(0, rng.choice(ONSETS))
        yield "".join(letters)


@functools.cache  # every start of the same draws asks again
def nearest(word: str, cache: Path, most: float = np.inf) -> tuple[str, ...]:
    """Return the words of the dictionary that sound most like `word`, nearest first.

    Args:
        word: the word.
        cache: folder for what is computed once.
        most: how many sounds, of which a vowel counts half, they may differ by.

    """
    sounds = _dictionary_sounds(cache)
    words = [other for other in sounds if word not in other]
    apart = distances(synthesis.phonemes([word])[0], [sounds[other] for other in words])
    # A homophone sounds like the word itself, so it is left out.
    order = np.argsort(apart, kind="stable")
    return tuple(words[i] for i in order if 1 <= apart[i] <= most)


def _dictionary_sounds(cache: Path) -> dict[str, list[str]]:
    """Return the sounds of every word of the dictionary, by word."""
    words = dictionary()

    def compute() -> dict[str, npt.NDArray[np.str_]]:
        logger.info("asking espeak-ng for the sounds of %d words, once", len(words))
        parts = [words[at : at + _PART] for at in range(0, len(words), _PART)]
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
            said = threads.map(synthesis.phonemes, parts)
            sounds = [*itertools.chain.from_iterable(track(said, len(parts), "espeak-ng", "part"))]
        return {"sounds": np.array(["_".join(one) for one in sounds])}

    sounds = cached(cache, "sounds", digest(words), compute)["sounds"]
    return {word: said.split("_") for word, said in zip(words, sounds.tolist(), strict=True)}


def distances(own: Sequence[str], others: Sequence[Sequence[str]]) -> npt.NDArray[np.float32]:
    """Return how many sounds `own` differs by from the nearest part of each of the `others`.

    It is the edit distance (Sellers 1980), in which another vowel counts as half a sound, plus a
    tenth of the difference in length: of two words with an equally near part, the shorter is
    nearer.
    """
    *_, last = alignments(own, others, anywhere=True)
    lengths = np.array([len(sounds) for sounds in others])
    differ: npt.NDArray[np.float32] = last.min(axis=1)
    differ += 0.1 * np.abs(lengths - len(own))
    return differ


def alignments(
    own: Sequence[str], others: Sequence[Sequence[str]], *, anywhere: bool
) -> Iterator[npt.NDArray[np.float32]]:
    """Return the edit distances of the first 0, 1, 2, … sounds of `own` from parts of the `others`.

    Each is float32[others, sounds + 1]: in column j, from the part of another that ends after its
    first j sounds; infinite beyond its end. A vowel instead of another counts half. All others are
    computed at once.

    Args:
        own: the sounds.
        others: sounds each.
        anywhere: whether the part may begin anywhere; otherwise it begins at the start.

    """
    numbers = {sound: i for i, sound in enumerate(sorted({*own, *itertools.chain(*others)}))}
    lengths = np.array([len(sounds) for sounds in others])
    table = np.full((len(others), int(lengths.max(initial=1))), -1)
    for row, sounds in zip(table, others, strict=True):
        row[: len(sounds)] = [numbers[sound] for sound in sounds]
    vowels = np.isin(table, [numbers[sound] for sound in VOWELS if sound in numbers])
    columns = np.arange(table.shape[1] + 1)
    beyond = columns > lengths[:, None]
    row = np.tile(np.where(anywhere, 0, columns).astype(np.float32), (len(others), 1))
    yield np.where(beyond, np.inf, row)
    for i, sound in enumerate(own, 1):
        above, row = row, np.full_like(row, i)
        cost = np.where(vowels, 0.5, 1) if sound in VOWELS else 1
        exchanged = above[:, :-1] + (table != numbers[sound]) * cost
        for j in range(table.shape[1]):
            row[:, j + 1] = np.minimum(exchanged[:, j], np.minimum(row[:, j], above[:, j + 1]) + 1)
        yield np.where(beyond, np.inf, row)
