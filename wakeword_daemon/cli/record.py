"""`wakeword record`: takes of a word for training, one after the other, from a person."""

from __future__ import annotations

import getpass
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wakeword_daemon import manifest
from wakeword_daemon.audio import files
from wakeword_daemon.audio.recorder import microphone
from wakeword_daemon.audio.sources import CaptureSettings
from wakeword_daemon.cli import _arguments
from wakeword_daemon.cli._keys import Keys, keys
from wakeword_daemon.cli._line import Line
from wakeword_daemon.cli._player import Player
from wakeword_daemon.clock import SAMPLE_RATE, samples
from wakeword_daemon.counts import counted
from wakeword_daemon.errors import TrainingError
from wakeword_daemon.levels import level
from wakeword_daemon.storage import write_atomically
from wakeword_daemon.training.data.newtakes import NewTake, examine

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from wakeword_daemon.pcm import Pcm

SOURCE = "own recordings"

_EXAMPLES = """examples:
  wakeword record hey_house --data recordings --speaker anna
  wakeword record hey_house --data recordings --speaker ben --takes 20
  wakeword record hey_house --data recordings --speaker mia --split val
  wakeword train hey_house --takes recordings

Each take is written as soon as you keep it, so an interruption loses at most the current one. Say
the word as you would say it to the daemon: from where you will stand, in different moods, near and
far. Record everybody who will use it. Training adds synthetic voices, and measures the result on
others of them; with takes of two more people in the validation split, it measures on people.
"""

_COUNTDOWN = 3
_BEAT = samples(0.6)
_LONGEST = samples(4.0)
_SILENCE = samples(0.9)
"""Samples of silence after which a word is over."""
_SPEECH = 10.0
"""Decibels above the room at which somebody speaks."""
_METER = 30
_BLOCKS = " ▁▂▃▄▅▆▇█"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("word", help="the word as it is named in the manifest, such as hey_house")
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="the folder of recordings"
    )
    parser.add_argument("--speaker", help="who speaks (default: your user name)")
    parser.add_argument(
        "--takes", type=_arguments.positive_int, default=10, metavar="N", help="default: 10"
    )
    parser.add_argument(
        "--split",
        choices=["train", "val"],
        default="train",
        help="what the takes are for; nobody may be in both (default: train)",
    )
    parser.add_argument(
        "--device",
        type=lambda text: int(text) if text.isdecimal() else text,
        help="a microphone other than the one in the config",
    )
    _arguments.add_config(parser)
    parser.epilog = _EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Record takes until there are enough."""
    speaker = args.speaker or getpass.getuser()
    for name in (args.word, speaker):
        if not re.fullmatch(r"[^\W_][\w-]*", name):
            raise TrainingError(f"{name!r} is not a name; use letters, digits, - and _")
    folder = RecordedTakes(args.data, args.word, speaker, args.split)
    audio = _arguments.read_config(args).audio
    settings = CaptureSettings(audio.device, audio.channel, audio.rate)
    kept = 0
    try:
        with keys("recording takes") as keyboard, microphone(settings) as blocks:
            session = _Session(keyboard, blocks, args.word.replace("_", " "))
            while kept < args.takes:
                print(f"\ntake {kept + 1} of {args.takes}")
                take = session.record(folder.earlier)
                if take is None:
                    break
                path = folder.add(take)
                kept += 1
                print(f"kept as {path}")
    finally:
        print(f"\nadded {counted(kept, 'take')} by {speaker} to {args.data}")
    return 0


class RecordedTakes:
    """The takes of one word by one speaker in a folder of recordings.

    Raises:
        TrainingError: the speaker is in the other split already.

    """

    def __init__(self, data: Path, word: str, speaker: str, split: str) -> None:
        self._data = data
        self._word, self._speaker, self._split = word, speaker, split
        self._folder = Path("words") / word
        self.earlier: list[Pcm] = []
        for row in manifest.rows(data):
            if (row["source"], row["speaker"]) != (SOURCE, speaker):
                continue
            if row["split"] != split:
                raise TrainingError(
                    f"{speaker} is in the split {row['split']} of {data} already, and nobody may be"
                    " in both"
                )
            if row["word"] == word and manifest.has_recording(data, row):
                self.earlier.append(files.read(data / row["path"]))

    def add(self, take: NewTake) -> Path:
        """Write a take and then its row in the manifest; return its path.

        Raises:
            OSError: it cannot be written; the earlier takes stay as they are.

        """
        number = 1
        while (path := self._folder / f"{self._speaker}-{number:03}.flac") and (
            self._data / path
        ).exists():
            number += 1
        write_atomically(self._data / path, files.flac(take.kept))
        row = manifest.Row(
            path=str(path),
            word=self._word,
            speaker=self._speaker,
            split=self._split,
            seconds=round(len(take.kept) / SAMPLE_RATE, 3),
            source=SOURCE,
        )
        try:
            manifest.append(self._data, [row])
        except OSError:  # a take that is in no manifest would never be trained on
            (self._data / path).unlink(missing_ok=True)
            raise
        self.earlier.append(take.kept)
        return self._data / path


class _Session:
    """Talks with the person at the terminal."""

    def __init__(self, keyboard: Keys, blocks: Iterator[Pcm], phrase: str) -> None:
        self._keys = keyboard
        self._blocks = blocks
        self._phrase = phrase
        self._player = Player()
        self._line = Line(sys.stdout, after=0, every=0)

    def record(self, earlier: list[Pcm]) -> NewTake | None:
        """Record until a take is kept; return it, or None if the person has had enough."""
        while True:
            take = examine(self._hear(), earlier)
            print(_preview(take))
            key = self._ask(take)
            if key == "q":
                return None
            if key != "r":
                return take
            print("once more")

    def _hear(self) -> Pcm:
        """Count down, and record one word."""
        room: list[float] = []
        for count in range(_COUNTDOWN, 0, -1):
            length = 0
            while length < _BEAT:
                block = next(self._blocks)
                length += len(block)
                room.append(level(block))
                self._line.show(f"{count} {_meter(room[-1])}")
        noise = float(np.median(room))
        heard: list[Pcm] = []
        length = spoken = 0
        while length < _LONGEST:
            block = next(self._blocks)
            heard.append(block)
            length += len(block)
            loudness = level(block)
            if loudness > noise + _SPEECH:
                spoken = length
            self._line.show(f"now say “{self._phrase}” {_meter(loudness)}")
            if spoken and length - spoken > _SILENCE:
                break
        self._line.wipe()
        return np.concatenate(heard)

    def _ask(self, take: NewTake) -> str:
        choices = "rpq" if take.problem else "\nrpq"
        print("r record again   p play   q quit" if take.problem else
              "Enter keep it   r record again   p play   q quit")  # fmt: skip
        with tempfile.NamedTemporaryFile(suffix=".flac") as file:
            while (key := self._choose(choices)) == "p":
                Path(file.name).write_bytes(files.flac(take.kept if take.stop else take.pcm))
                if failure := self._player.play(Path(file.name)):
                    print(failure)
            self._player.stop()
        return key

    def _choose(self, choices: str) -> str:
        """Wait for a key, and discard the audio meanwhile."""
        while True:
            next(self._blocks)
            key = self._keys.read(0).lower()
            if key and key in choices:
                return key


def _meter(loudness: float) -> str:
    """Return a level in dBFS as a number and a bar, which a narrow terminal cuts off."""
    bar = round(_METER * min(max((loudness + 70) / 70, 0), 1))
    return f"{loudness:4.0f} dBFS [{'█' * bar}{'·' * (_METER - bar)}]"


def _preview(take: NewTake) -> str:
    """Return the shape of a take in two lines, the second of which marks what is kept."""
    width = min((os.get_terminal_size(sys.stdout.fileno()).columns or 80) - 2, 76)
    size = max(len(take.pcm) // max(width, 1), 1)
    columns = np.abs(take.pcm[: size * (len(take.pcm) // size)].astype(float)).reshape(-1, size)
    peaks = 20 * np.log10(np.maximum(columns.max(1), 1) / 32_768)
    shape = "".join(_BLOCKS[round(8 * min(max((peak + 60) / 60, 0), 1))] for peak in peaks)
    if take.problem:
        return f"{shape}\n{take.problem}"
    length = (take.stop - take.start) / SAMPLE_RATE
    start, stop = (round(share * len(shape)) for share in take.trim)
    mark = " " * start + "└" + "─" * max(stop - start - 2, 0) + "┘"
    return (
        f"{shape}\n{mark}\ngood: {length:.2f} s, peak {take.peak:.0f} dBFS,"
        f" {take.above_noise:.0f} dB above the room"
    )
