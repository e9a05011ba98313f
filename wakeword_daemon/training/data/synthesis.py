"""Synthetic speakers: espeak-ng, flite, festival, Piper, Pico and Kokoro, whichever are installed.

Recordings are kept in folders that grow: when more are wanted, only the missing ones are made.
"""

from __future__ import annotations

import fcntl
import functools
import itertools
import logging
import os
import random
import shutil
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec
import soundfile

from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.errors import TrainingError
from wakeword_daemon.storage import write_atomically
from wakeword_daemon.training.data import kokoro, small_voices
from wakeword_daemon.training.data.progress import Progress

logger = logging.getLogger(__name__)

ESPEAK_ACCENTS = (
    "en-us", "en-gb", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-gb-x-rp",
    "en-029", "en-us-nyc",
)  # fmt: skip
FOREIGN_ACCENTS = (
    "cs", "da", "de", "eo", "es", "es-419", "et", "eu", "fi", "fr-fr", "hr", "hu", "id", "it", "la",
    "lv", "ms", "nl", "pl", "pt", "pt-br", "ro", "sk", "sl", "sq", "sv", "sw", "tr", "vi",
)  # fmt: skip
"""Languages in Latin letters, which pronounce invented words unlike any English voice."""
ESPEAK_VARIANTS = (
    "f1", "f2", "f3", "f4", "f5", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8",
    "Andrea", "Annie", "Alex", "Alicia", "Denis", "Gene", "Jacky", "Lee", "Mario", "Michael",
    "Steph", "anika", "belinda", "ed", "max", "quincy", "shelby", "steph2", "Tweaky", "zac",
)  # fmt: skip
FLITE_VOICES = ("kal", "kal16", "awb", "rms", "slt")
FESTIVAL_VOICES = ("kal_diphone", "ked_diphone", "cmu_us_slt_arctic_hts")
HELD_OUT = frozenset(
    ("f5", "m8", "Alicia", "Michael", "zac", "steph2", "awb", "kal16", "ked_diphone")
)
"""Voices that are not trained on: false accepts are counted in their speech."""
KOKORO_HELD_OUT = "bm_"
"""Kokoro's British men, who are never used in training: new voices for every network."""

_NAMES = {
    "espeak": ESPEAK_VARIANTS,
    "flite": FLITE_VOICES,
    "festival": FESTIVAL_VOICES,
    "piper": small_voices.PIPER_VOICES,
    "pico": small_voices.PICO_VOICES,
}
_WEIGHTS = {"espeak": 6, "flite": 2, "festival": 1, "piper": 1, "pico": 2}
_COSTS = {
    "espeak": (0.01, 0.0001), "flite": (0.02, 0.0005), "festival": (0.28, 0.0),
    "piper": (0.04, 0.0035), "pico": (0.005, 0.0003), "kokoro": (0.6, 0.027),
}  # fmt: skip
"""Seconds of one core that a take costs, and each letter of its text; for plans."""
_PICO = threading.Lock()
"""Nothing says that Pico may speak in two threads at once."""
_LIST = "takes.jsonl"
_LOCK = "lock"
_SAVED_EVERY = 50
"""Number of takes after which the list is written again."""
_MIXED_SHARE = 0.6
_ENGLISH_SHARE = 0.7
"""Share of Kokoro's English voices; the others speak English with a foreign accent."""


@dataclass(frozen=True, slots=True)
class Voice:
    """One synthetic speaker: an engine, its voice, and how it speaks.

    Attributes:
        engine: espeak, flite, festival, piper, pico or kokoro.
        name: the engine's own name for the voice; Kokoro's with an accent, as en-gb/af_heart.
        speed: speaking rate relative to the voice's usual one.
        pitch: 0 to 99, 50 being the usual one; espeak and pico only.

    """

    engine: str
    name: str
    speed: float = 1.0
    pitch: int = 50


def engines() -> list[str]:
    """Return the synthesizers installed here as programs."""
    programs = {"espeak": "espeak-ng", "flite": "flite", "festival": "text2wave"}
    return [engine for engine, program in programs.items() if shutil.which(program)]


def installed_engines() -> list[str]:
    """Return all synthesizers installed here but Kokoro."""
    return [*engines(), *small_voices.installed()]


def voices(
    rng: random.Random,
    installed: list[str],
    *,
    held_out: bool | None = False,
    accents: Sequence[str] = ESPEAK_ACCENTS,
) -> Iterator[Voice]:
    """Return random synthetic speakers without end; Kokoro's are in `natural_voices`.

    Args:
        rng: whose draws decide.
        installed: the engines to use, as `installed_engines` returns them.
        held_out: whether to return the voices that are not trained on; None for all voices.
        accents: accents of espeak-ng.

    Raises:
        TrainingError: no synthesizer is installed.

    """
    if not installed:
        raise TrainingError("no speech synthesizer is installed: sudo apt install espeak-ng flite")
    weights = [_WEIGHTS[engine] for engine in installed]
    allowed = {
        engine: [name for name in names if held_out is None or (name in HELD_OUT) == held_out]
        for engine, names in _NAMES.items()
    }
    while True:
        engine = rng.choices(installed, weights)[0]
        name = rng.choice(allowed[engine])
        speed = rng.uniform(0.75, 1.3)
        if engine == "espeak":
            yield Voice(engine, f"{rng.choice(accents)}+{name}", speed, rng.randint(15, 85))
        elif engine == "pico":
            yield Voice(engine, name, speed, rng.randint(25, 75))
        else:
            yield Voice(engine, name, speed)


def natural_voices(
    rng: random.Random,
    *,
    held_out: bool = False,
    speeds: tuple[float, float] = (0.55, 1.3),
) -> Iterator[Voice]:
    """Return voices of Kokoro without end: single ones, and mixtures of two timbres.

    A mixture has the melody and timing of a third voice. A take needs about a second of one core.

    Args:
        rng: whose draws decide.
        held_out: whether to return the voices that are not trained on.
        speeds: the range of speeds.

    Raises:
        TrainingError: Kokoro is not installed; the message says what is missing.

    """
    missing = kokoro.lacking()
    if missing:
        raise TrainingError(f"Kokoro cannot speak: {missing}.")
    allowed = [n for n in kokoro.names() if n.startswith(KOKORO_HELD_OUT) == held_out]
    english = [name for name in allowed if name[0] in "ab"]

    def one() -> str:
        return rng.choice(english if rng.random() < _ENGLISH_SHARE else allowed)

    while True:
        name = one()
        if rng.random() < _MIXED_SHARE:
            name = str(kokoro.Mixture(name, one(), rng.uniform(0.3, 0.7), one()))
        accent = rng.choice(kokoro.ACCENTS)
        yield Voice("kokoro", f"{accent}/{name}", round(rng.uniform(*speeds), 3))


def phonemes(texts: Sequence[str]) -> list[list[str]]:
    """Return the sounds of English texts in espeak-ng's notation, without stress marks."""
    run = subprocess.run(
        ["espeak-ng", "-q", "-v", "en-us", "-x", "--sep=_"],
        input="\n\n".join(texts), capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = [line for line in run.stdout.split("\n") if line.strip()]
    sounds = [line.strip().replace(" ", "_").split("_") for line in lines]
    return [[s.strip("',%=|") for s in line if s.strip("',%=|")] for line in sounds]


def pronunciation(text: str, accent: str) -> str:
    """Return how espeak-ng says a text in an accent such as en-us, in IPA."""
    run = subprocess.run(
        ["espeak-ng", "-q", "-v", accent, "--ipa", text], capture_output=True, text=True, check=True
    )
    return " ".join(run.stdout.split())


def speak(text: str, voice: Voice, path: Path, phrase: str = "") -> tuple[float, float] | None:
    """Write `text`, spoken by `voice`, to the WAV file `path`.

    Returns:
        the first and last second of `phrase` in it; None if the engine does not report it.

    Raises:
        TrainingError: the synthesizer failed, or runs the phrase together with its neighbours.

    """
    if voice.engine == "kokoro":
        return _speak_naturally(text, voice, path, phrase)
    if voice.engine in ("piper", "pico"):
        if voice.engine == "piper":
            pcm, rate = small_voices.piper(text, voice.speed)
        else:
            with _PICO:
                pcm, rate = small_voices.pico(
                    text, voice.name, voice.speed, 2 ** (voice.pitch / 50 - 1)
                )
        soundfile.write(path, pcm, rate)
        return None
    _run_program(text, voice, path)
    return None


def _run_program(text: str, voice: Voice, path: Path) -> None:
    if voice.engine == "espeak":
        rate = str(round(165 * voice.speed))
        argv = ["espeak-ng", "-v", voice.name, "-s", rate, "-p", str(voice.pitch)]
        argv += ["-w", str(path), text]
        given = None
    elif voice.engine == "flite":
        stretch = f"duration_stretch={1 / voice.speed:.3f}"
        argv = ["flite", "-voice", voice.name, "--setf", stretch, "-t", text, "-o", str(path)]
        given = None
    else:
        stretch = f"(Parameter.set 'Duration_Stretch {1 / voice.speed:.3f})"
        argv = ["text2wave", "-eval", f"(begin (voice_{voice.name}) {stretch})", "-o", str(path)]
        given = text
    run = subprocess.run(argv, input=given, capture_output=True, text=True, check=False)
    if run.returncode or not path.exists():
        raise TrainingError(
            f"{argv[0]} could not say {text!r} as {voice.name}: {run.stderr.strip()}"
        )


def _speak_naturally(
    text: str, voice: Voice, path: Path, phrase: str
) -> tuple[float, float] | None:
    accent, _, name = voice.name.partition("/")
    sounds = kokoro.phonemes(text if text.endswith(kokoro.MARKS) else f"{text}.", accent)
    where = kokoro.span(kokoro.phonemes(phrase, accent), sounds) if phrase else None
    if phrase and where is None:
        raise TrainingError(f"espeak-ng does not say {phrase!r} as separate words in {text!r}")
    said = _kokoro(kokoro.folder()).say(sounds, name, voice.speed)
    soundfile.write(path, said.pcm, SAMPLE_RATE)
    if where is None:
        return None
    return kokoro.trimmed(said.pcm, said.bounds[where[0]], said.bounds[where[1]])


@functools.cache
def _kokoro(where: Path) -> kokoro.Kokoro:
    return kokoro.Kokoro(where)


@dataclass(frozen=True, slots=True)
class Utterance:
    """One synthetic recording.

    Attributes:
        path: the WAV file; Kokoro's are at 16 kHz, others at the engine's own rate.
        text: what is said.
        voice: who says it.
        word_span: first and last second of the wake word in it; None if unknown.

    """

    path: Path
    text: str
    voice: Voice
    word_span: tuple[float, float] | None = None


class _Attempt(msgspec.Struct, omit_defaults=True):
    """A line of a folder's list. Failures are listed too, so that draws continue after them."""

    text: str
    voice: Voice
    span: tuple[float, float] | None = None
    failed: bool = False


@dataclass(frozen=True)
class SpeakingJob:
    """So many recordings of one kind, and where they are kept.

    Attributes:
        title: what they are, for the progress.
        draws: begins the texts to say, one for each recording, and the voices that say them. They
            must be the same each time, and those that the folder was begun with.
        count: how many recordings.
        folder: where they are kept.
        phrase: a phrase in each text whose span Kokoro tells.

    """

    title: str
    draws: Callable[[], tuple[Iterator[str], Iterator[Voice]]]
    count: int
    folder: Path
    phrase: str = ""

    def missing(self) -> int:
        """Return how many of the recordings are still to be made."""
        return max(0, self.count - sum(not a.failed for a in _read(self.folder)))

    def seconds(self) -> float:
        """Return about how many seconds of one core the missing ones cost."""
        few = list(itertools.islice(zip(*self.draws(), strict=False), 20))
        return self.missing() * sum(_cost(text, voice) for text, voice in few) / max(len(few), 1)

    def make(self) -> list[Utterance]:
        """Return the recordings; those that the folder does not have are made, on all cores.

        Work that was interrupted is continued. Voices that an engine does not have, and texts that
        it cannot say, are skipped.

        Raises:
            TrainingError: almost nothing could be spoken.

        """
        attempts = _read(self.folder)
        if sum(not a.failed for a in attempts) < self.count:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / _LOCK).open("wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # another process may want the same
                attempts = _read(self.folder)
                try:
                    for attempt in self._attempts(attempts):
                        attempts.append(attempt)
                        if not len(attempts) % _SAVED_EVERY:
                            _write(self.folder, attempts)
                finally:
                    _write(self.folder, attempts)
        spoken = ((i, a) for i, a in enumerate(attempts) if not a.failed)
        return [
            Utterance(_file(self.folder, i), a.text, a.voice, a.span)
            for i, a in itertools.islice(spoken, self.count)
        ]

    def _attempts(self, before: Sequence[_Attempt]) -> Iterator[_Attempt]:
        """Speak until there are enough, with those of `before`; yield every attempt in order."""
        spoken = sum(not a.failed for a in before)
        failed = len(before) - spoken
        draws = itertools.islice(zip(*self.draws(), strict=False), len(before), None)
        cores = len(os.sched_getaffinity(0))
        ahead: deque[tuple[str, Voice, Future[tuple[float, float] | None]]] = deque()
        with (
            Progress(self.count, f"speaking {self.title}", "take", initial=spoken) as progress,
            ThreadPoolExecutor(cores) as threads,
        ):
            number = len(before)
            while spoken < self.count:
                while len(ahead) < min(2 * cores, self.count - spoken):
                    text, voice = next(draws)
                    path = _file(self.folder, number)
                    number += 1
                    ahead.append(
                        (text, voice, threads.submit(speak, text, voice, path, self.phrase))
                    )
                text, voice, done = ahead.popleft()
                try:
                    yield _Attempt(text, voice, done.result())
                    spoken += 1
                    progress.advance(_cost(text, voice) / cores)
                except TrainingError as error:
                    logger.debug("%s", error)
                    failed += 1
                    if failed > 20 + self.count:
                        raise
                    yield _Attempt(text, voice, failed=True)


def _cost(text: str, voice: Voice) -> float:
    take, letter = _COSTS[voice.engine]
    return take + letter * len(text)


def holds(text: str, phrases: Iterable[str]) -> bool:
    """Return whether one of some phrases is in a text, in capitals or not."""
    return any(phrase.casefold() in text.casefold() for phrase in phrases)


def _read(folder: Path) -> list[_Attempt]:
    if not (folder / _LIST).exists():
        return []
    attempts: list[_Attempt] = msgspec.json.Decoder(_Attempt).decode_lines(
        (folder / _LIST).read_bytes()
    )
    return attempts


def _write(folder: Path, attempts: Sequence[_Attempt]) -> None:
    write_atomically(folder / _LIST, msgspec.json.Encoder().encode_lines(attempts))


def _file(folder: Path, index: int) -> Path:
    return folder / f"{index:05}.wav"
