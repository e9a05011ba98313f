"""Phrases of which people say only the end, begun by synthetic voices.

Suppose that there are recordings of "jarvis", but none of "hey jarvis". Then Kokoro says "hey"
before each of them, so that people's voices teach the phrase, and measure it. It also says "okay"
and the like before them, so that they teach that this is not the phrase.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from wakeword_daemon.training.data.endpoints import speech_span
from wakeword_daemon.training.data.melpower import MelPower
from wakeword_daemon.training.data.synthesis import SpeakingJob, Utterance
from wakeword_daemon.training.data.takes import UsableTake, usable_takes

_TAKES: Mapping[Split, int] = {"train": 80, "val": 30}
"""How often the beginning is said."""
_OTHERS = 80
"""How often other beginnings are said."""
_FEATURES = FeatureSettings()
_LONGEST_PAUSE = 0.08
"""Seconds between the beginning and the end."""


@dataclass(frozen=True)
class Beginning:
    """What synthetic voices say before people's recordings of the end of a phrase.

    Attributes:
        text: the beginning, such as "hey".
        ending: the end, such as "jarvis", as the corpus names it.
        said: takes with the span of the beginning, by split; no voice is in both.
        instead: what else people say before the end, by the voices for training.
        seed: of which beginning is said before which take.

    """

    text: str
    ending: str
    said: Mapping[Split, SpeakingJob]
    instead: SpeakingJob
    seed: int

    @property
    def jobs(self) -> list[SpeakingJob]:
        """What voices have to say."""
        return [*self.said.values(), self.instead]

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

        def befores() -> dict[Split, list[Pcm]]:
            cut = {split: list(_cut(said)) for split, said in begun.items()}
            if not all(cut.values()):
                raise TrainingError(f"Kokoro does not tell where “{self.text}” is in the phrase")
            return cut

        said = [one for takes in begun.values() for one in takes]
        made = self._begun(endings, said, befores, cache / "speech" / f"begun-{word}")
        return [replace(r, path=path, word=word) for r, path in made]

    def other_takes(self, corpus: Corpus, word: str, cache: Path) -> list[Path]:
        """Return recordings in which something else comes before the end: they are not the phrase.

        There is one for each usable take of the training split. They are made once and kept.

        Args:
            corpus: has the takes of the end.
            word: the name of the phrase.
            cache: folder for what is made once.

        """
        endings = [r for r in corpus.in_split("train") if r.word == self.ending]
        said = self.instead.make()

        def befores() -> dict[Split, list[Pcm]]:
            return {"train": list(_heard(said))}

        folder = cache / "speech" / f"not-{word}"
        return [path for _, path in self._begun(endings, said, befores, folder)]

    def _begun(
        self,
        endings: Sequence[Recording],
        said: Sequence[Utterance],
        befores: Callable[[], Mapping[Split, Sequence[Pcm]]],
        folder: Path,
    ) -> list[tuple[Recording, Path]]:
        """Return each usable take with where it is with one of `befores` before it.

        Args:
            endings: takes of the end.
            said: what `befores` are cut from.
            befores: makes what may be said before the takes of each split.
            folder: where they are kept; a digest of all that they depend on is added to its name.

        """
        seed = f"{folder.name} {self.seed}"
        key = digest_of_files([*(r.path for r in endings), *(u.path for u in said)], seed)
        folder = folder.with_name(f"{folder.name}-{key}")
        if not folder.exists():
            before = befores()
            rng = random.Random(seed)  # noqa: S311 - a seed, not a secret
            names = {recording.path: _file(n) for n, recording in enumerate(endings)}
            with atomic_folder(folder) as made:
                for take in usable_takes(endings, _FEATURES)[0]:
                    beginning = rng.choice(before[take.recording.split])
                    wave = _joined(beginning, take, rng.uniform(0, _LONGEST_PAUSE))
                    soundfile.write(made / names[take.recording.path], wave, SAMPLE_RATE)
        places = [(recording, folder / _file(n)) for n, recording in enumerate(endings)]
        return [(recording, path) for recording, path in places if path.exists()]


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
            instead = speech.other_beginning_job(text, _OTHERS, cache, seed)
            return Beginning(text, ending, said, instead, seed)
    return None


def _cut(said: Sequence[Utterance]) -> Iterator[Pcm]:
    """Yield what is heard of each beginning."""
    for one in said:
        if one.word_span is not None:
            start, stop = map(samples, one.word_span)
            yield files.read(one.path)[start:stop]


def _heard(said: Sequence[Utterance]) -> Iterator[Pcm]:
    """Yield what is heard of each utterance, without the quiet around it."""
    for one in said:
        pcm = files.read(one.path)
        span = speech_span(MelPower(_FEATURES)(pcm))
        if span is not None:
            rate = _FEATURES.frames_per_second
            yield pcm[samples(span.start / rate) : samples(span.stop / rate)]


def _file(number: int) -> str:
    return f"{number:05}.wav"


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
