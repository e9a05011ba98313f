"""The user's own recordings of a word, any number of them, by one voice or more."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from wakeword_daemon import manifest
from wakeword_daemon.errors import TrainingError
from wakeword_daemon.training.data.corpus import Recording

SOURCE = "own takes"
ENDINGS = (".wav", ".flac", ".ogg", ".mp3")
JUDGING = 5
"""Every fifth take of a voice is for measuring, and at least one of two or more."""


def read_own_takes(folder: Path, word: str) -> list[Recording]:
    """Return the recordings of a word in a folder, some of each voice for measuring.

    If `wakeword record` has filled the folder, its manifest says which recordings are of the word,
    and who speaks. Otherwise every sound file is one, and each folder in it is a voice.

    Args:
        folder: the folder.
        word: the word's name.

    Raises:
        TrainingError: the folder has no recordings of the word, or its manifest has a mistake.

    """
    if not folder.is_dir():
        raise TrainingError(f"{folder} is not a folder; give one with recordings of the word")
    by_voice: dict[str, list[Path]] = defaultdict(list)
    if (folder / manifest.NAME).exists():
        for row in manifest.rows(folder):
            if row["word"] == word:
                by_voice[row["speaker"]].append(folder / row["path"])
    else:
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in ENDINGS:
                by_voice[path.relative_to(folder).parent.as_posix()].append(path)
    if not by_voice:
        raise TrainingError(f"{folder} holds no recordings of {word!r}: {', '.join(ENDINGS)} files")
    return [
        Recording(
            path=path,
            word=word,
            speaker=f"{SOURCE}/{'you' if voice in ('', '.') else voice}",
            split="val" if judges else "train",
            source=SOURCE,
            noise=False,
        )
        for voice, paths in by_voice.items()
        for path, judges in zip(paths, _judging(len(paths)), strict=True)
    ]


def _judging(count: int) -> list[bool]:
    if 1 < count < JUDGING:
        return [False] * (count - 1) + [True]
    return [number % JUDGING == JUDGING - 1 for number in range(count)]
