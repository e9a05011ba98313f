"""The folder that clips are kept in: private, and never larger than it may be."""

from __future__ import annotations

import contextlib
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from wakeword_daemon import xdg
from wakeword_daemon.clips.clip import LABELS, Clip, Label
from wakeword_daemon.errors import WakewordError
from wakeword_daemon.storage import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wakeword_daemon.pcm import Pcm

_DAY = 86_400


class ClipError(WakewordError):
    """There is no such clip, or it cannot be labelled so."""


@dataclass(frozen=True, slots=True)
class ClipLimits:
    """What clips may take; the oldest go first, and those without a label before the others."""

    count: int
    megabytes: float
    days: float


def folder_of_clips(setting: str | None) -> Path:
    """Return where clips are kept; `setting` is `clips.folder` in the config, None by default."""
    if setting is not None:
        return Path(setting)
    return (xdg.service_state() or xdg.state_home() / "wakeword") / "clips"


class ClipFolder:
    """Clips by their names; every method may be called from any thread or process."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, clip: Clip, pcm: Pcm) -> None:
        """Keep a clip.

        Args:
            clip: what it is.
            pcm: its samples, int16[n].

        Raises:
            OSError: it cannot be written, and nothing of it is.

        """
        from wakeword_daemon.audio.files import flac  # noqa: PLC0415 - who only reads needs none

        audio = flac(pcm)
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A clip is there when its JSON file is, so that comes last.
        self._write(f"{clip.name}.flac", audio)
        try:
            self._write(f"{clip.name}.json", _encoded(clip))
        except OSError:
            self.audio(clip.name).unlink(missing_ok=True)
            raise

    def names(self) -> list[str]:
        """Return the names of all clips, the oldest first."""
        with contextlib.suppress(FileNotFoundError):
            entries = {entry.name for entry in os.scandir(self.path)}
            stems = (name.removesuffix(".json") for name in entries if name.endswith(".json"))
            return sorted(stem for stem in stems if f"{stem}.flac" in entries)
        return []

    def clips(self) -> Iterator[tuple[str, Clip]]:
        """Yield the name of each clip and the clip, the oldest first."""
        for name in self.names():
            with contextlib.suppress(ClipError):  # deleted, or not ours
                yield name, self.read(name)

    def read(self, name: str) -> Clip:
        """Return the description of a clip.

        Raises:
            ClipError: there is no clip of that name.

        """
        # A name may come from a web page: it names nothing outside the folder.
        if not re.fullmatch(r"\w[\w.-]*", name):
            raise ClipError(f"{name!r} is not the name of a clip")
        try:
            return msgspec.json.decode((self.path / f"{name}.json").read_bytes(), type=Clip)
        except FileNotFoundError:
            raise ClipError(f"there is no clip {name} in {self.path}") from None
        except msgspec.MsgspecError as error:
            raise ClipError(f"{self.path / name}.json describes no clip: {error}") from None

    def audio(self, name: str) -> Path:
        """Return the FLAC file of a clip."""
        return self.path / f"{name}.flac"

    def label(self, name: str, label: Label | None) -> Clip:
        """Store the label of a clip; None removes it.

        Raises:
            ClipError: there is no such clip, or the label does not suit its kind.

        """
        clip = self.read(name)
        if label is not None and label not in LABELS[clip.kind]:
            raise ClipError(f"a {clip.kind} is {' or '.join(LABELS[clip.kind])}, not {label}")
        clip = msgspec.structs.replace(clip, label=label)
        self._write(f"{name}.json", _encoded(clip))
        return clip

    def delete(self, name: str) -> None:
        """Delete a clip, if it is there."""
        for path in self._files(name):
            path.unlink(missing_ok=True)

    def prune(self, limits: ClipLimits) -> int:
        """Delete what is too old or too much; return how many clips that was."""
        sizes = {}
        for name, clip in self.clips():
            with contextlib.suppress(FileNotFoundError):
                sizes[name] = (
                    clip.label is not None,
                    clip.wall_time,
                    sum(path.stat().st_size for path in self._files(name)),
                )
        oldest = time.time() - limits.days * _DAY
        old = [name for name, (_, wall_time, _) in sizes.items() if wall_time < oldest]
        for name in old:
            self.delete(name)
            del sizes[name]
        count, size = len(sizes), sum(size for _, _, size in sizes.values())
        deleted = len(old)
        for name in sorted(sizes, key=lambda name: sizes[name][:2]):
            if count <= limits.count and size <= limits.megabytes * 1e6:
                break
            self.delete(name)
            deleted, count, size = deleted + 1, count - 1, size - sizes[name][2]
        return deleted

    def _files(self, name: str) -> tuple[Path, Path]:
        """Return both files of a clip; the one that makes it a clip comes first."""
        return self.path / f"{name}.json", self.audio(name)

    def _write(self, name: str, content: bytes) -> None:
        write_atomically(self.path / name, content, 0o600)


def _encoded(clip: Clip) -> bytes:
    return msgspec.json.format(msgspec.json.encode(clip), indent=1) + b"\n"
