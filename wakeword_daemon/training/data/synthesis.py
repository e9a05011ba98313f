"""Synthetic speakers: espeak-ng, flite and festival, whichever are installed."""

from __future__ import annotations

import json
import logging
import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from wakeword_daemon.errors import TrainingError

logger = logging.getLogger(__name__)

ESPEAK_ACCENTS = (
    "en-us", "en-gb", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-gb-x-rp",
    "en-029", "en-us-nyc",
)  # fmt: skip
FOREIGN_ACCENTS = (
    "cs", "da", "de", "eo", "es", "es-419", "et", "eu", "fi", "fr-fr", "hr", "hu", "id", "it", "la",
    "lv", "ms", "nl", "pl", "pt", "pt-br", "ro", "sk", "sl", "sq", "sv", "sw", "tr", "vi",
)  # fmt: skip
"""Languages in Latin letters: they pronounce invented words as no English voice would."""
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
"""Voices that nothing is trained on: they speak what false accepts are counted in."""

_TEXTS = "texts.json"


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


def voices(
    rng: random.Random,
    installed: list[str],
    *,
    held_out: bool = False,
    accents: Sequence[str] = ESPEAK_ACCENTS,
) -> Iterator[Voice]:
    """Return synthetic speakers without end, drawn at random from the engines installed.

    Those to validate with (`held_out`) are others than those to train on; `accents` are espeak's.

    Raises:
        TrainingError: no synthesizer is installed.

    """
    if not installed:
        raise TrainingError("no speech synthesizer is installed: sudo apt install espeak-ng flite")
    weights = [{"espeak": 6, "flite": 2, "festival": 1}[engine] for engine in installed]
    named = {"espeak": ESPEAK_VARIANTS, "flite": FLITE_VOICES, "festival": FESTIVAL_VOICES}
    allowed = {
        engine: [name for name in names if (name in HELD_OUT) == held_out]
        for engine, names in named.items()
    }
    while True:
        engine = rng.choices(installed, weights)[0]
        name = rng.choice(allowed[engine])
        speed = rng.uniform(0.75, 1.3)
        if engine == "espeak":
            yield Voice(engine, f"{rng.choice(accents)}+{name}", speed, rng.randint(15, 85))
        else:
            yield Voice(engine, name, speed)


def phonemes(texts: Sequence[str]) -> list[list[str]]:
    """Return the sounds of English texts in espeak-ng's notation, stress marks left out."""
    run = subprocess.run(
        ["espeak-ng", "-q", "-v", "en-us", "-x", "--sep=_"],
        input="\n\n".join(texts), capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = [line for line in run.stdout.split("\n") if line.strip()]
    sounds = [line.strip().replace(" ", "_").split("_") for line in lines]
    return [[s.strip("',%=|") for s in line if s.strip("',%=|")] for line in sounds]


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


@dataclass(frozen=True, slots=True)
class Utterance:
    """One synthetic recording and what is said in it."""

    path: Path
    text: str


def make(
    texts: Iterator[str], voices: Iterator[Voice], count: int, folder: Path
) -> list[Utterance]:
    """Speak `count` texts by as many voices into `folder` and return the recordings.

    A folder that already holds them is returned as it is. Voices that an engine does not have
    are passed over.

    Raises:
        TrainingError: hardly anything could be spoken.

    """
    if not (folder / _TEXTS).exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".speech-") as name:
            partial = Path(name) / "speech"
            partial.mkdir()
            said: list[str] = []
            failed = 0
            progress = tqdm(total=count, desc=f"speaking {folder.name}", unit="file")
            while len(said) < count:
                text = next(texts)
                try:
                    speak(text, next(voices), partial / f"{len(said):05}.wav")
                    said.append(text)
                    progress.update()
                except TrainingError as error:
                    logger.debug("%s", error)
                    failed += 1
                    if failed > 20 + count:
                        raise
            progress.close()
            (partial / _TEXTS).write_text(json.dumps(said))
            try:
                partial.rename(folder)
            except OSError:  # another process may have been as fast, and made the same
                if not (folder / _TEXTS).exists():
                    raise
    said = json.loads((folder / _TEXTS).read_text())
    return [Utterance(folder / f"{index:05}.wav", text) for index, text in enumerate(said)]
