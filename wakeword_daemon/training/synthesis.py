"""Synthetic speakers: espeak-ng, flite and festival, whichever are installed."""

from __future__ import annotations

import logging
import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from wakeword_daemon.errors import TrainingError

logger = logging.getLogger(__name__)

ESPEAK_ACCENTS = (
    "en-us", "en-gb", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-gb-x-rp",
    "en-029", "en-us-nyc",
)  # fmt: skip
ESPEAK_VARIANTS = (
    "f1", "f2", "f3", "f4", "f5", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8",
    "Andrea", "Annie", "Alex", "Alicia", "Denis", "Gene", "Jacky", "Lee", "Mario", "Michael",
    "Steph", "anika", "belinda", "ed", "max", "quincy", "shelby", "steph2", "Tweaky", "zac",
)  # fmt: skip
FLITE_VOICES = ("kal", "kal16", "awb", "rms", "slt")
FESTIVAL_VOICES = ("kal_diphone", "ked_diphone", "cmu_us_slt_arctic_hts")

# Sounds that a listener may take for each other, in espeak-ng's notation of English.
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


@dataclass(frozen=True, slots=True)
class Voice:
    """One synthetic speaker: an engine, its voice, and how it speaks.

    Attributes:
        engine: espeak, flite or festival.
        name: the engine's own name for the voice.
        speed: speaking rate relative to the voice's usual one.
        pitch: 0 to 99, espeak only.

    """

    engine: str
    name: str
    speed: float = 1.0
    pitch: int = 50


def engines() -> list[str]:
    """Return the synthesizers installed here."""
    programs = {"espeak": "espeak-ng", "flite": "flite", "festival": "text2wave"}
    return [engine for engine, program in programs.items() if shutil.which(program)]


def voices(rng: random.Random, installed: list[str]) -> Iterator[Voice]:
    """Return synthetic speakers without end, drawn at random from the engines installed.

    Raises:
        TrainingError: no synthesizer is installed.

    """
    if not installed:
        raise TrainingError("no speech synthesizer is installed: sudo apt install espeak-ng flite")
    weights = [{"espeak": 6, "flite": 2, "festival": 1}[engine] for engine in installed]
    while True:
        engine = rng.choices(installed, weights)[0]
        speed = rng.uniform(0.75, 1.3)
        if engine == "espeak":
            name = f"{rng.choice(ESPEAK_ACCENTS)}+{rng.choice(ESPEAK_VARIANTS)}"
            yield Voice(engine, name, speed, rng.randint(15, 85))
        else:
            yield Voice(engine, rng.choice(_named(engine)), speed)


def _named(engine: str) -> tuple[str, ...]:
    return FLITE_VOICES if engine == "flite" else FESTIVAL_VOICES


def phonemes(text: str) -> list[str]:
    """Return the sounds of an English text in espeak-ng's notation, stress marks left out."""
    run = subprocess.run(
        ["espeak-ng", "-q", "-v", "en-us", "-x", "--sep=_", text],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    sounds = run.stdout.replace("\n", " ").replace(" ", "_").split("_")
    return [s.strip("',%=|") for s in sounds if s.strip("',%=|")]


def neighbours(sounds: list[str], rng: random.Random) -> Iterator[str]:
    """Return near-sounding nonsense in espeak-ng's phoneme input, without end.

    Each has at least two sounds of the word exchanged, dropped or added, and keeps at least
    two: near enough to tempt the network, far enough that nobody would say it for the word.
    """
    while True:
        changed = list(sounds)
        for _ in range(rng.randint(2, max(2, len(sounds) // 2))):
            at = rng.randrange(len(changed))
            same = VOWELS if changed[at] in VOWELS else CONSONANTS
            action = rng.choice(("exchange", "exchange", "exchange", "drop", "add"))
            if action == "exchange":
                changed[at] = rng.choice([s for s in same if s != changed[at]])
            elif action == "drop" and len(changed) > 2:  # noqa: PLR2004 - two sounds stay
                del changed[at]
            else:
                changed.insert(at, rng.choice(VOWELS if same is CONSONANTS else CONSONANTS))
        distance = _edit_distance(sounds, changed)
        if distance >= 2:  # noqa: PLR2004 - see above
            yield "[['" + "_".join(changed) + "]]"


def _edit_distance(a: list[str], b: list[str]) -> int:
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, right in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (left != right))
    return row[-1]


def speak(text: str, voice: Voice, path: Path) -> None:
    """Write `text`, spoken by `voice`, to the WAV file `path`.

    Raises:
        TrainingError: the synthesizer failed.

    """
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


def make(texts: Iterator[str], voices: Iterator[Voice], count: int, folder: Path) -> list[Path]:
    """Speak `count` texts by as many voices into `folder` and return the files.

    A folder that already holds them is returned as it is. Voices that an engine does not have
    are passed over.

    Raises:
        TrainingError: hardly anything could be spoken.

    """
    done = folder / "complete"
    if not done.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".speech-") as name:
            partial = Path(name) / "speech"
            partial.mkdir()
            made = failed = 0
            progress = tqdm(total=count, desc=f"speaking {folder.name}", unit="file")
            while made < count:
                try:
                    speak(next(texts), next(voices), partial / f"{made:05}.wav")
                    made += 1
                    progress.update()
                except TrainingError as error:
                    logger.debug("%s", error)
                    failed += 1
                    if failed > 20 + count:
                        raise
            progress.close()
            (partial / "complete").touch()
            partial.rename(folder)
    return sorted(folder.glob("*.wav"))
