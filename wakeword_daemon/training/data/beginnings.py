"""Phrases of which people say only the end, begun by synthetic voices.

Suppose that there are recordings of "jarvis", but none of "hey jarvis". Then Kokoro says "hey"
before each of them, so that people's voices teach the phrase, and measure it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from wakeword_daemon.audio import files
from wakeword_daemon.clock import SAMPLE_RATE, samples
from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.errors import TrainingError
from wakeword_daemon.pcm import Pcm
from wakeword_daemon.storage import atomic_folder
from wakeword_daemon.training.data import kokoro, speech
from wakeword_daemon.training.data.cache import digest_of_files
from wakeword_daemon.training.data.corpus import Corpus, Recording, Split
from wakeword_daemon.training.data.synthesis import SpeakingJob, Utterance
from wakeword_daemon.training.data.takes import UsableTake, usable_takes

_TAKES: Mapping[Split, int] = {"train": 80, "val": 30}
"""How often the beginning is said."""
_LONGEST_PAUSE = 0.08
"""Seconds between the beginning and the end."""


@dataclass(frozen=True)
class Beginning:
    """What synthetic voices say before people's recordings of the end of a phrase.

    Attributes:
        text: the beginning, such as "hey".
        ending: the end, such as "jarvis", as the corpus names it.
        said: takes with the span of the beginning, by split; no voice is in both.
        seed: of which beginning is said before which take.

    """

    text: str
    ending: str
    said: Mapping[Split, SpeakingJob]
    seed: int

    def whole_takes(self, corpus: Corpus, word: str, cache: Path) -> list[Recording]:
        """Return recordings of the whole phrase, one for each usable take of its end.

        Each has the speaker, the split and the source of the take. They are made once and kept.

        Args:
            corpus: has the takes of the end.
            word: the name of the phrase.
            cache: folder for what is made once.

        Raises:
            TrainingError: the voices do not tell where the beginning is in what they say.

        """
        endings = [r for r in corpus.recordings if r.word == self.ending]
        begun = {split: job.make() for split, job in self.said.items()}
        paths = [*(r.path for r in endings), *(u.path for said in begun.values() for u in said)]
        key = digest_of_files(paths, f"{word} {self.seed}")
        folder = cache / "speech" / f"begun-{word}-{key}"
        whole = {r.path: folder / f"{number:05}.wav" for number, r in enumerate(endings)}
        if not folder.exists():
            befores = {split: list(_cut(said)) for split, said in begun.items()}
            if not all(befores.values()):
                raise TrainingError(f"Kokoro does not tell where “{self.text}” is in the phrase")
            rng = random.Random(f"{self.seed} {word}")  # noqa: S311 - a seed, not a secret
            with atomic_folder(folder) as made:
                for take in usable_takes(endings, FeatureSettings())[0]:
                    before = rng.choice(befores[take.recording.split])
                    wave = _joined(before, take, rng.uniform(0, _LONGEST_PAUSE))
                    soundfile.write(made / whole[take.recording.path].name, wave, SAMPLE_RATE)
        return [
            replace(r, path=whole[r.path], word=word) for r in endings if whole[r.path].exists()
        ]


def beginning_of(phrase: str, corpus: Corpus, cache: Path, seed: int) -> Beginning | None:
    """Return how to begin a phrase of which a corpus has the end; None if it has no end of it.

    Of several ends the longest is taken. Without Kokoro nobody can begin the phrase.

    Args:
        phrase: as the voices read it.
        corpus: recordings by people.
        cache: folder for what is made once.
        seed: of what is drawn.

    """
    words, known = phrase.split(), corpus.words()
    for number in range(1, len(words)):
        text, ending = " ".join(words[:number]), "_".join(words[number:])
        if known[ending] and not kokoro.lacking():
            said = {
                split: speech.beginning_job(
                    phrase, text, count, cache, seed, held_out=split == "val"
                )
                for split, count in _TAKES.items()
            }
            return Beginning(text, ending, said, seed)
    return None


def _cut(said: Sequence[Utterance]) -> Iterator[Pcm]:
    """Yield what is heard of each beginning."""
    for one in said:
        if one.word_span is not None:
            start, stop = map(samples, one.word_span)
            yield files.read(one.path)[start:stop]


def _joined(before: Pcm, take: UsableTake, pause: float) -> Pcm:
    """Return a take with something before it, equally loud.

    Args:
        before: what is said before it.
        take: as much quiet as it begins with comes first.
        pause: seconds between the two.

    """
    louder = _loudness(take.pcm[take.word]) / _loudness(before)
    quiet = np.zeros(samples(pause))
    start = take.word.start
    wave = np.concatenate([take.pcm[:start], before * louder, quiet, take.pcm[start:]])
    return wave.clip(-32_768, 32_767).astype(np.int16)


def _loudness(pcm: Pcm) -> float:
    return float(np.sqrt(np.mean(pcm.astype(np.float64) ** 2))) + 1.0
