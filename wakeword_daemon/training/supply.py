"""The recordings for one word: those that people gave, and synthetic ones for what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wakeword_daemon.errors import TrainingError
from wakeword_daemon.training.data import datasets, strangers
from wakeword_daemon.training.data.beginnings import Beginning, beginning_of
from wakeword_daemon.training.data.corpus import Corpus, Recording
from wakeword_daemon.training.data.noises import noises
from wakeword_daemon.training.data.own_takes import read_own_takes
from wakeword_daemon.training.data.synthesis import SpeakingJob

FEWEST_JUDGES = 2
"""People of the validation split who say the word, and as many who say something else."""


@dataclass(frozen=True)
class Supply:
    """Recordings for one word.

    Attributes:
        given: recordings by people.
        judges: speech by left-out voices for measuring, if there are too few people.
        left_out: the engines that must not be used for training, because they are for measuring.
        beginning: what voices say before people's recordings of the end of a phrase, if people say
            only that.

    """

    given: Corpus
    judges: list[SpeakingJob] = field(default_factory=list)
    left_out: tuple[str, ...] = ()
    beginning: Beginning | None = None

    @property
    def jobs(self) -> list[SpeakingJob]:
        """What synthetic voices have to say for these recordings."""
        return [*self.judges, *(self.beginning.said.values() if self.beginning else ())]

    def corpus(self, word: str, phrase: str, cache: Path) -> Corpus:
        """Return all recordings; synthetic ones that the cache lacks are made.

        If synthetic voices are for measuring, the downloaded collections are used too.

        Args:
            word: the word's name.
            phrase: the word as the voices read it.
            cache: folder for what is made once.

        """
        recordings = list(self.given.recordings)
        if self.beginning is not None:
            recordings += self.beginning.whole_takes(self.given, word, cache)
        if not self.judges:
            return Corpus(self.given.root, tuple(recordings))
        recordings += [
            *strangers.strangers(word, phrase, self.judges),
            *datasets.fetched(cache),
        ]
        if not any(r.noise for r in recordings):
            recordings += noises(cache)
        return Corpus(self.given.root, tuple(recordings))


def supply(
    word: str,
    phrase: str,
    data: Corpus | None,
    takes: Path | None,
    cache: Path,
    *,
    synthetic: bool,
    seed: int,
) -> Supply:
    """Return the recordings for a word.

    Args:
        word: the word's name.
        phrase: the word as the voices read it.
        data: a collection that was read, of the word or of other speech; None for none.
        takes: a folder of the user's own recordings of the word; None for none.
        cache: folder for what is made once.
        synthetic: whether synthetic voices may stand in for what is missing.
        seed: of texts and voices.

    Raises:
        TrainingError: the takes cannot be used, or something is missing and may not be synthesized.

    """
    given = [*(data.recordings if data else ()), *(read_own_takes(takes, word) if takes else ())]
    corpus = Corpus(data.root if data else cache, tuple(given))
    if data is not None and (not synthetic or _people_judge(data.recordings, word)):
        return Supply(corpus)
    if data is not None and not data.words()[word]:
        beginning = beginning_of(phrase, data, cache, seed)
        if beginning is not None and _people_judge(data.recordings, beginning.ending):
            return Supply(corpus, beginning=beginning)
    if not synthetic:
        raise TrainingError(
            "without recordings (--data) there is only synthetic speech to train on"
        )
    jobs = strangers.stranger_jobs(phrase, cache, seed)
    return Supply(corpus, jobs, tuple(strangers.left_out()))


def _people_judge(recordings: Sequence[Recording], word: str) -> bool:
    """Return whether the validation split has takes of the word and other speech, by two each."""
    judging = [r for r in recordings if r.split == "val" and r.speaker]
    saying = {r.speaker for r in judging if r.word == word}
    others = {r.speaker for r in judging if r.word != word and not r.noise}
    return min(len(saying), len(others)) >= FEWEST_JUDGES
