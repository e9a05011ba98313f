"""Writes down what people say: `python -m wakeword_daemon.training.transcribe --data DIR …`.

Vosk recognizes the speech, with a model for English: `pip install vosk`, and a model from its
makers. The file is for `training.sounds`: see `data.transcripts`.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

from wakeword_daemon.audio import files
from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.errors import AudioError, TrainingError, WakewordError
from wakeword_daemon.storage import write_atomically
from wakeword_daemon.training.data.corpus import read_corpus
from wakeword_daemon.training.data.progress import track
from wakeword_daemon.training.data.transcripts import COLUMNS

logger = logging.getLogger(__name__)

SURE = 0.75
"""Mean confidence of a recording's words, from which it is kept."""
SURE_OF_EACH = 0.5
"""Confidence of every word of a part, from which the part is kept."""
LONGEST = 4.2
"""Seconds of a part; longer recordings are cut between words."""
AROUND = 0.12
"""Seconds that are kept before the first word and after the last."""


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A word that was recognized: what, between which seconds, and how surely, from 0 to 1."""

    text: str
    start: float
    stop: float
    sure: float


def parts(words: list[HeardWord]) -> Iterator[tuple[float, float, str]]:
    """Yield start, stop and text of the parts of a recording that were surely understood."""
    if not words or fmean(word.sure for word in words) < SURE:
        return
    cuts = [0]
    for number, word in enumerate(words):
        if word.stop - words[cuts[-1]].start > LONGEST and number > cuts[-1]:
            cuts.append(number)
    for first, after in pairwise([*cuts, len(words)]):
        part = words[first:after]
        if min(word.sure for word in part) < SURE_OF_EACH:
            continue
        start = part[0].start - (AROUND if first == 0 else 0)
        stop = part[-1].stop + (AROUND if after == len(words) else 0)
        yield max(0.0, start), stop, " ".join(word.text for word in part)


class Vosk:
    """Recognizes speech."""

    def __init__(self, model: Path) -> None:
        try:
            import vosk  # noqa: PLC0415 -- only this needs it
        except ModuleNotFoundError:
            raise TrainingError("vosk recognizes the speech: pip install vosk") from None
        vosk.SetLogLevel(-1)
        if not (model / "am").is_dir():
            raise TrainingError(f"{model} is no model of Vosk")
        self._vosk, self._model = vosk, vosk.Model(str(model))

    def words(self, path: Path) -> list[HeardWord]:
        """Return the words in a recording."""
        recognizer: Any = self._vosk.KaldiRecognizer(self._model, SAMPLE_RATE)
        recognizer.SetWords(True)
        recognizer.AcceptWaveform(files.read(path).tobytes())
        found = json.loads(recognizer.FinalResult()).get("result", [])
        return [HeardWord(one["word"], one["start"], one["end"], one["conf"]) for one in found]


def main() -> None:
    """Write down what is said in all recordings without a word of their own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the recordings")
    parser.add_argument("--model", type=Path, required=True, help="folder of Vosk's model")
    parser.add_argument("--output", type=Path, required=True, help="the CSV file to write")
    parser.add_argument(
        "--without", action="append", default=[], metavar="SOURCE", help="of another language"
    )
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        _write(args.data, args.without, Vosk(args.model), args.output)
    except WakewordError as error:
        sys.exit(f"error: {error}")


def _write(data: Path, without: Collection[str], recognizer: Vosk, output: Path) -> None:
    recordings = [
        r
        for r in read_corpus(data).in_split("train")
        if not r.word and not r.noise and r.source not in without
    ]
    lines = [",".join(COLUMNS)]
    for recording in track(recordings, len(recordings), "listening", "file"):
        try:
            words = recognizer.words(recording.path)
        except AudioError as error:
            logger.warning("left out: %s", error)
            continue
        place = recording.path.relative_to(data).as_posix()
        lines += [f"{place},{start:.2f},{stop:.2f},{text}" for start, stop, text in parts(words)]
    write_atomically(output, ("\n".join(lines) + "\n").encode())


if __name__ == "__main__":
    main()
