"""Reads which recordings a folder has, from a manifest or as a Speech Commands folder."""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from wakeword_daemon import manifest
from wakeword_daemon.counts import counted
from wakeword_daemon.errors import TrainingError
from wakeword_daemon.storage import write_atomically

Split = Literal["train", "val"]

NOISE_FOLDER = "_background_noise_"
VALIDATION_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Recording:
    """One file of a corpus.

    Attributes:
        path: where it is.
        word: the word that is said in it; "" for other speech and for noise.
        speaker: who speaks, unique within the corpus; "" if unknown, or if nobody speaks.
        split: train for training, val for validation.
        source: the collection that it comes from, as named on the model's card.
        noise: whether nobody speaks in it.

    """

    path: Path
    word: str
    speaker: str
    split: Split
    source: str
    noise: bool


@dataclass(frozen=True, slots=True)
class Corpus:
    """The recordings of one folder.

    Attributes:
        root: the folder.
        recordings: its recordings, in a fixed order.

    """

    root: Path
    recordings: tuple[Recording, ...]

    def in_split(self, split: Split) -> list[Recording]:
        """Return the recordings of one split, in order."""
        return [r for r in self.recordings if r.split == split]

    def words(self) -> Counter[str]:
        """Return the number of recordings of each word, without other speech."""
        return Counter(r.word for r in self.recordings if r.word)

    def fingerprint(self) -> str:
        """Return what identifies the corpus: a digest of its recordings, wherever they lie."""
        lines = sorted(
            f"{self._place(r.path)}\0{r.word}\0{r.speaker}\0{r.split}" for r in self.recordings
        )
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    def _place(self, path: Path) -> Path | str:
        """Return a path without the folder; of one that lies in the cache only the name."""
        return path.relative_to(self.root) if path.is_relative_to(self.root) else path.name

    def fold(self, index: int, count: int) -> Corpus:
        """Return the training split, with one group of its speakers as the validation split.

        This is for speaker-wise cross-validation, which does not use the validation split. The
        speakers of every word are spread over all groups.

        Args:
            index: the group, from 0.
            count: number of groups.

        """
        trained = self.in_split("train")
        groups: dict[str, int] = {}
        for word in sorted({r.word for r in trained}):
            takes = Counter(r.speaker for r in trained if r.word == word and r.speaker)
            ranked = sorted(takes, key=lambda speaker: (-takes[speaker], speaker))
            fresh = [speaker for speaker in ranked if speaker not in groups]
            groups |= {speaker: place % count for place, speaker in enumerate(fresh)}
        held_out = {speaker for speaker, group in groups.items() if group == index}
        return replace(
            self,
            recordings=tuple(
                replace(r, split="val" if r.speaker in held_out else "train") for r in trained
            ),
        )


def read_corpus(folder: Path, *, split_file: Path | None = None, seed: int = 0) -> Corpus:
    """Read the recordings of `folder`.

    If there is a `manifest.csv` (columns path, word, speaker, split, seconds, source), it lists
    them. Otherwise the folder is read as a Speech Commands folder: a folder for each word with
    files named SPEAKER_nohash_N.wav, and `_background_noise_`. Its split is the official one if
    there is a `validation_list.txt`; if not, a random fifth of the speakers is for validation.

    Args:
        folder: the folder.
        split_file: where a random split is written, and read from the next time.
        seed: of a random split.

    Raises:
        TrainingError: the folder has no recordings, or the manifest has a mistake.

    """
    if not folder.is_dir():
        raise TrainingError(f"{folder} is not a folder; give one with recordings to train on")
    listed = folder / manifest.NAME
    if listed.exists():
        corpus = _read_manifest(folder, listed)
    else:
        corpus = _read_speech_commands(folder, split_file, seed)
    _refuse_shared_speakers(corpus)
    return corpus


def _read_manifest(folder: Path, listed: Path) -> Corpus:
    recordings: list[Recording] = []
    missing: list[str] = []
    seen: dict[str, dict[str, str]] = {}
    for where, row in manifest.read(listed)[1]:
        if row["path"] in seen:
            if row != seen[row["path"]]:
                raise TrainingError(f"{where}: {row['path']} was listed before, with other fields")
            continue
        seen[row["path"]] = row
        if manifest.has_recording(folder, row):
            recordings.append(_recording(folder, row, where))
        else:
            missing.append(row["path"])
    if missing:
        raise TrainingError(
            f"{listed} lists {counted(len(missing), 'missing file')}: {_some(missing)}"
        )
    if not recordings:
        raise TrainingError(f"{listed} lists no recordings")
    return Corpus(folder, tuple(recordings))


def _recording(folder: Path, row: dict[str, str], where: str) -> Recording:
    """Return the recording that a row of a manifest lists."""
    split, path = row["split"], Path(row["path"])
    if split not in ("train", "val"):
        raise TrainingError(f"{where}: the split is {split!r}, not train or val")
    if path.is_absolute():
        raise TrainingError(f"{where}: {path} is an absolute path; write it relative to {folder}")
    if not _is_length(row["seconds"]):
        raise TrainingError(f"{where}: the seconds are {row['seconds']!r}, not a number")
    return Recording(
        path=folder / path,
        word=row["word"],
        speaker=f"{row['source']}/{row['speaker']}" if row["speaker"] else "",
        split="train" if split == "train" else "val",
        source=row["source"],
        noise=path.parts[0] == "noise",
    )


def _is_length(seconds: str) -> bool:
    """Return whether a field is a length in seconds, or empty; its value is not used."""
    try:
        return not seconds or 0 <= float(seconds) < math.inf
    except ValueError:
        return False


def _read_speech_commands(folder: Path, split_file: Path | None, seed: int) -> Corpus:
    files = sorted(p for p in folder.glob("*/*.wav") if p.parent.name != NOISE_FOLDER)
    if not files:
        raise TrainingError(
            f"{folder} holds neither a manifest.csv nor folders of .wav files named by word"
        )
    official = folder / "validation_list.txt"
    if official.exists():
        lists = [official, folder / "testing_list.txt"]
        held_out = {
            line for name in lists if name.exists() for line in name.read_text().split("\n")
        }
        validation = {p for p in files if p.relative_to(folder).as_posix() in held_out}
    else:
        speakers = _seeded_split(sorted({_speaker(p) for p in files}), split_file, seed)
        validation = {p for p in files if _speaker(p) in speakers}
    spoken = [
        Recording(
            path=p,
            word=p.parent.name,
            speaker=_speaker(p),
            split="val" if p in validation else "train",
            source=folder.name,
            noise=False,
        )
        for p in files
    ]
    noise = [
        Recording(path=p, word="", speaker="", split="train", source=folder.name, noise=True)
        for p in sorted((folder / NOISE_FOLDER).glob("*.wav"))
    ]
    return Corpus(folder, tuple(spoken + noise))


def _speaker(path: Path) -> str:
    return path.name.split("_nohash_")[0]


def _seeded_split(speakers: list[str], split_file: Path | None, seed: int) -> set[str]:
    """Return the validation speakers, from the file if there is one."""
    if split_file is not None and split_file.exists():
        try:
            held_out = set(json.loads(split_file.read_text())["validation_speakers"])
        except (ValueError, KeyError, TypeError) as error:
            raise TrainingError(f"{split_file} is not a split file: {error}") from error
        strangers = held_out - set(speakers)
        if strangers:
            raise TrainingError(
                f"{split_file} was made for another folder: "
                f"it lists speakers who are not here: {_some(sorted(strangers))}"
            )
        return held_out
    shuffled = random.Random(seed).sample(speakers, len(speakers))  # noqa: S311 - a split, not a secret
    held_out = set(shuffled[: max(1, round(VALIDATION_SHARE * len(speakers)))])
    if split_file is not None:
        text = json.dumps({"seed": seed, "validation_speakers": sorted(held_out)}, indent=1)
        write_atomically(split_file, text.encode())
    return held_out


def _refuse_shared_speakers(corpus: Corpus) -> None:
    trained = {r.speaker for r in corpus.in_split("train") if r.speaker}
    shared = sorted(trained & {r.speaker for r in corpus.in_split("val")})
    if shared:
        raise TrainingError(
            "both splits have recordings of the same speakers, so validation would measure nothing"
            f" new: {_some(shared)}"
        )


def _some(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")
