"""Labelled clips as recordings to train on: files and rows of a manifest.csv."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from wakeword_daemon.audio import files
from wakeword_daemon.clock import samples
from wakeword_daemon.manifest import Row, append
from wakeword_daemon.storage import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from wakeword_daemon.clips.folder import ClipFolder

SOURCE = "own clips"


def export(folder: ClipFolder, target: Path, speaker: str) -> tuple[int, int]:
    """Copy every labelled clip to `target`, and name it in the manifest there.

    Of a clip with the word, what comes after the score is left out: the word has ended there, since
    a network answers a tenth of a second after it or later, and what follows is not the word.

    What is in the manifest already stays as it is, so a second export adds what is new. All of it
    is for training: nobody may be in both splits.

    Args:
        folder: the clips.
        target: a folder of recordings, new or old.
        speaker: who says the wake words in them.

    Returns:
        how many clips with the word, and how many without it, were added.

    Raises:
        WakewordError: the manifest there is none.
        OSError: something cannot be written.

    """
    rows, copies = [], []
    for name, clip in folder.clips():
        if clip.said is None:
            continue
        path = f"clips/{clip.word if clip.said else 'other'}/{name}.flac"
        rows.append(
            Row(
                path=path,
                word=clip.word if clip.said else "",
                speaker=speaker if clip.said else "",
                seconds=clip.at if clip.said else clip.seconds,
                source=SOURCE,
            )
        )
        copies.append((folder.audio(name), target / path, clip))
    for original, copy, clip in copies:
        if copy.exists():
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        if clip.said:
            write_atomically(copy, files.flac(files.read(original)[: samples(clip.at)]))
        else:
            shutil.copyfile(original, copy)
    added = append(target, rows)
    said = sum(bool(row.word) for row in added)
    return said, len(added) - said
