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
from wakeword_daemon.clips.clip import LABELS, Clip, Label, is_name, stamp
from wakeword_daemon.errors import WakewordError
from wakeword_daemon.storage import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wakeword_daemon.pcm import Samples

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


@dataclass(frozen=True, slots=True)
class _Listed:
    """What a listing tells about a file, or about a clip."""

    size: int
    """Bytes; of both files of a clip."""
    written: int
    """When the file was written, in ns; of a clip its JSON file."""


class ClipFolder:
    """Clips by their names; every method may be called from any thread or process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # Clips that were found to have a label, and when their JSON files were written.
        self._labelled: dict[str, int] = {}

    def add(self, clip: Clip, pcm: Samples) -> None:
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
        """Delete what is too old or too much; return how many clips that was.

        The folder is listed once, or twice if it is full. No clip is read to know its time, which
        its name tells. A clip that would be deleted for the space is read, because it may have a
        label, and only once if it has one.
        """
        oldest = stamp(time.time() - limits.days * _DAY)
        if self._fits(limits, oldest):
            return 0
        listed = self._listing()
        left = {name: entry.size for name, entry in listed.items() if name >= oldest}
        for name in listed.keys() - left.keys():
            self.delete(name)
        size = sum(left.values())
        next_to_go = self._unlabelled_first({name: listed[name].written for name in left})
        while len(left) > limits.count or size > limits.megabytes * 1e6:
            name = next(next_to_go)
            self.delete(name)
            size -= left.pop(name)
        return len(listed) - len(left)

    def _fits(self, limits: ClipLimits, oldest: str) -> bool:
        """Return whether no clip has to go.

        Nothing is remembered for this, as a listing would: it grows with the clips, and Python
        rarely gives back the memory that it once took.
        """
        count, size = 0, 0
        with contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(self.path):
                name, _, kind = entry.name.rpartition(".")
                if kind == "json" and is_name(name):
                    if name < oldest:
                        return False
                    count += 1
                with contextlib.suppress(FileNotFoundError):
                    size += entry.stat().st_size
        return count <= limits.count and size <= limits.megabytes * 1e6

    def _listing(self) -> dict[str, _Listed]:
        """Return all clips, the oldest first."""
        files = {}
        with contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(self.path):
                with contextlib.suppress(FileNotFoundError):
                    found = entry.stat()
                    files[entry.name] = _Listed(found.st_size, found.st_mtime_ns)
        names = sorted(
            name
            for name in (file.removesuffix(".json") for file in files if file.endswith(".json"))
            if is_name(name) and f"{name}.flac" in files
        )
        return {
            name: _Listed(
                files[f"{name}.json"].size + files[f"{name}.flac"].size,
                files[f"{name}.json"].written,
            )
            for name in names
        }

    def _unlabelled_first(self, written: dict[str, int]) -> Iterator[str]:
        """Yield clips without a label, then the others; read no more than is asked for.

        Args:
            written: when the JSON file of each was written, the oldest clip first.

        """
        self._labelled = dict(self._labelled.items() & written.items())
        for name, time_written in written.items():
            if name not in self._labelled and self._has_label(name):
                self._labelled[name] = time_written
            if name not in self._labelled:
                yield name
        yield from [name for name in written if name in self._labelled]

    def _has_label(self, name: str) -> bool:
        try:
            return self.read(name).label is not None
        except ClipError:  # deleted meanwhile, or damaged
            return False

    def _files(self, name: str) -> tuple[Path, Path]:
        """Return both files of a clip; the one that makes it a clip comes first."""
        return self.path / f"{name}.json", self.audio(name)

    def _write(self, name: str, content: bytes) -> None:
        write_atomically(self.path / name, content, 0o600)


def _encoded(clip: Clip) -> bytes:
    return msgspec.json.format(msgspec.json.encode(clip), indent=1) + b"\n"
