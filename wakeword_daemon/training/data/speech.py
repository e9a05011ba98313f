"""Speech by natural synthetic voices to train with, made once and kept.

Every kind has its own folder in the cache, named by what goes into it; it grows when more is
wanted. A second of speech takes about half a second of one core.
"""

from __future__ import annotations

import functools
import itertools
import logging
import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path

from wakeword_daemon.training.data import kokoro, neighbours, sentences, small_voices, synthesis
from wakeword_daemon.training.data.cache import digest
from wakeword_daemon.training.data.mishearings import mishearings
from wakeword_daemon.training.data.synthesis import SpeakingJob, Utterance, Voice, holds

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
        misheard: common words that together sound like it.
        others: other speech without it: orders, everyday sentences, near-sounding words in
            sentences.

    """

    word: list[Utterance] = field(default_factory=list)
    carriers: list[Utterance] = field(default_factory=list)
    misheard: list[Utterance] = field(default_factory=list)
    others: list[Utterance] = field(default_factory=list)

    def takes(self) -> list[Utterance]:
        """Return all speech with the word."""
        return [*self.word, *self.carriers]


@dataclass(frozen=True, slots=True)
class Amounts:
    """How many recordings of a word one word is trained with.

    Attributes:
        word: the word alone.
        carriers: sentences with it.
        near: sentences with a near-sounding word in its place.
        misheard: common words that together sound like it.

    """

    word: int
    carriers: int
    near: int
    misheard: int

    def scaled(self, share: float) -> Amounts:
        """Return a share of these, at least one of each."""
        return Amounts(*(max(1, round(share * count)) for count in astuple(self)))


BESIDE_PEOPLE = Amounts(word=100, carriers=40, near=25, misheard=60)
INSTEAD_OF_PEOPLE = Amounts(word=160, carriers=60, near=30, misheard=60)
"""If people say the word too, and if nobody does."""
ORDERS, EVERYDAY, BULK = 150, 200, 1200
"""How many recordings without the word all words are trained with."""
_SMALL_MISHEARD = 5
"""How many mishearings fast engines say for each that Kokoro says."""


def natural_jobs(
    phrase: str | None,
    amounts: Amounts,
    cache: Path,
    seed: int = 0,
    left_out: Collection[str] = (),
) -> dict[str, SpeakingJob]:
    """Return what natural voices have to say for one word, by kind.

    Without Kokoro, or without Piper and Pico, what they would say is left out, and the log says so.

    Args:
        phrase: the word as the voices read it; None for what all words share.
        amounts: how much of what depends on the word.
        cache: folder for what is made once.
        seed: of texts and voices.
        left_out: engines that nothing is trained on.

    """
    jobs: dict[str, SpeakingJob] = {}
    missing = kokoro.lacking()
    if missing:
        logger.warning("training continues without natural synthetic voices: %s", missing)
    else:
        if phrase is not None:
            jobs = {
                "word": word_job(phrase, amounts.word, cache, seed),
                "carriers": carrier_job(phrase, amounts.carriers, cache, seed),
                "near": _near_job(phrase, amounts.near, cache, seed),
                "misheard": _misheard_job(phrase, amounts.misheard, cache, seed),
            }
        jobs["orders"] = order_job(ORDERS, cache, seed)
        jobs["everyday"] = _everyday_job(EVERYDAY, cache, seed)
    small = [engine for engine in small_voices.installed() if engine not in left_out]
    if small:
        # Piper alone takes three times as long as beside Pico, and has one voice.
        count = BULK if "pico" in small else BULK // 3
        jobs["bulk"] = sentence_job("bulk", count, small, cache, seed)
        if phrase is not None:
            many = _SMALL_MISHEARD * amounts.misheard
            jobs["misheard-small"] = _small_misheard_job(phrase, many, small, cache, seed)
    else:
        logger.warning("training continues without Piper and Pico: pip install '.[voices]'")
    return jobs


def speak_naturally(jobs: Mapping[str, SpeakingJob], without: Sequence[str]) -> NaturalSpeech:
    """Return the natural speech that one word is trained with; it is made once and kept.

    Args:
        jobs: as `natural_jobs` gives them.
        without: what no other speech may hold: the word as it is written and as it is read.

    """
    said = {kind: job.make() for kind, job in jobs.items()}

    def without_it(*kinds: str) -> list[Utterance]:
        return [u for kind in kinds for u in said.get(kind, ()) if not holds(u.text, without)]

    return NaturalSpeech(
        word=said.get("word", []),
        carriers=said.get("carriers", []),
        misheard=without_it("misheard", "misheard-small"),
        others=without_it("near", "orders", "everyday", "bulk"),
    )


def word_job(
    phrase: str, count: int, cache: Path, seed: int = 0, *, held_out: bool = False
) -> SpeakingJob:
    """Return takes of the phrase alone, by many voices, slow and fast, with their spans."""

    def texts(rng: random.Random) -> Iterator[str]:
        while True:
            yield phrase + rng.choice(_TONES)

    kind = "stranger-word" if held_out else "word"
    return _job(
        f"{kind}-{_name(phrase)}", texts, count, cache, seed, phrase=phrase, held_out=held_out
    )


def beginning_job(
    phrase: str, beginning: str, count: int, cache: Path, seed: int = 0, *, held_out: bool = False
) -> SpeakingJob:
    """Return takes of the beginning of a phrase with its span; by other voices if `held_out`.

    In half of them the whole phrase is said, in the other half the beginning alone, which is
    longer then.
    """

    def texts(rng: random.Random) -> Iterator[str]:
        while True:
            yield rng.choice((phrase, beginning + rng.choice(_TONES)))

    kind = "stranger-beginning" if held_out else "beginning"
    return _job(
        f"{kind}-{_name(phrase)}", texts, count, cache, seed, phrase=beginning, held_out=held_out
    )


def carrier_job(phrase: str, count: int, cache: Path, seed: int = 0) -> SpeakingJob:
    """Return sentences with the phrase at the front, after “hey”, inside or last, and its span."""

    def texts(rng: random.Random) -> Iterator[str]:
        return sentences.carriers(itertools.repeat(phrase), rng)

    return _job(
        f"carrier-{_name(phrase)}", texts, count, cache, seed, phrase=phrase, speeds=_SENTENCES
    )


def _near_job(phrase: str, count: int, cache: Path, seed: int) -> SpeakingJob:
    """Return the same sentences with a near-sounding word in the phrase's place."""

    def texts(rng: random.Random) -> Iterator[str]:
        return sentences.carriers(neighbours.similar(phrase, cache, rng), rng)

    return _job(f"near-{_name(phrase)}", texts, count, cache, seed, speeds=_SENTENCES)


def _misheard_job(phrase: str, count: int, cache: Path, seed: int) -> SpeakingJob:
    """Return common words that together sound like the phrase."""
    texts = functools.partial(mishearings, phrase)
    return _job(f"misheard-{_name(phrase)}", texts, count, cache, seed, speeds=_SENTENCES)


def _small_misheard_job(
    phrase: str, count: int, engines: list[str], cache: Path, seed: int
) -> SpeakingJob:
    """Return such words by fast engines."""
    texts = functools.partial(mishearings, phrase)
    voices = functools.partial(synthesis.voices, installed=engines)
    draws = _Draws(f"misheard-{_name(phrase)}", seed, texts, voices)
    return draws.job("other speech", count, cache, "-".join(engines))


def order_job(count: int, cache: Path, seed: int = 0, *, held_out: bool = False) -> SpeakingJob:
    """Return orders to a voice assistant, without a wake word; by other voices if `held_out`."""
    kind = "stranger-order" if held_out else "order"
    return _job(kind, sentences.orders, count, cache, seed, speeds=_SENTENCES, held_out=held_out)


def _everyday_job(count: int, cache: Path, seed: int) -> SpeakingJob:
    """Return everyday sentences of a wide vocabulary.

    A common word may be among them: leave out the texts with the wake word.
    """
    return _job("everyday", sentences.everyday, count, cache, seed, speeds=_SENTENCES)


def sentence_job(
    kind: str,
    count: int,
    engines: list[str],
    cache: Path,
    seed: int,
    *,
    held_out: bool | None = False,
) -> SpeakingJob:
    """Return commands and everyday sentences by fast engines, such as Piper and Pico.

    Ten of them take as long as one of Kokoro's.
    """

    def texts(rng: random.Random) -> Iterator[str]:
        commands, everyday = sentences.orders(rng), sentences.everyday(rng)
        while True:
            yield next(commands if rng.random() < _ORDERS_SHARE else everyday)

    voices = functools.partial(synthesis.voices, installed=engines, held_out=held_out)
    return _Draws(kind, seed, texts, voices).job("other speech", count, cache, "-".join(engines))


def _job(
    kind: str,
    texts: Callable[[random.Random], Iterator[str]],
    count: int,
    cache: Path,
    seed: int,
    *,
    phrase: str = "",
    speeds: tuple[float, float] = _WORDS,
    held_out: bool = False,
) -> SpeakingJob:
    """Return takes of a kind by Kokoro."""

    def voices(rng: random.Random) -> Iterator[Voice]:
        return synthesis.natural_voices(rng, held_out=held_out, speeds=speeds)

    draws = _Draws(kind, seed, texts, voices)
    return draws.job(kind.replace("_", " "), count, cache, "kokoro", phrase=phrase)


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

    def job(
        self, title: str, count: int, cache: Path, engines: str, *, phrase: str = ""
    ) -> SpeakingJob:
        return SpeakingJob(title, self.begin, count, self._folder(cache, engines), phrase)

    def _folder(self, cache: Path, engines: str) -> Path:
        """Return where the takes are kept; other texts or voices have another folder."""
        first = itertools.islice(zip(*self.begin(), strict=False), _CHECKED)
        key = digest(f"{text} {voice}" for text, voice in first)[:8]
        return cache / "speech" / f"{engines}-{self.kind}-{self.seed}-{key}"


def _name(phrase: str) -> str:
    return phrase.replace(" ", "_")
