"""Clips that a person has labelled: takes of the word, and other speech that was taken for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wakeword_daemon import manifest
from wakeword_daemon.clock import samples
from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.errors import TrainingError
from wakeword_daemon.training.data.corpus import Corpus, read_corpus
from wakeword_daemon.training.data.endpoints import speech_span
from wakeword_daemon.training.data.melpower import MelPower
from wakeword_daemon.training.data.reading import readable
from wakeword_daemon.training.data.takes import LONGER_THAN_USUAL, Take

OWN_SOURCES = ("own clips", "own recordings")
"""Sources in which a speaker's name stands for the same person: exported clips, recorded takes."""

MARGIN = 0.6
"""Seconds before the longest word in which the room is heard, to tell the word from it."""


def folder_of(where: Path) -> Path:
    """Return the folder of labelled clips, which may also be named by its manifest."""
    return where.parent if where.name == manifest.NAME else where


def read_labelled(where: Path, corpus: Corpus) -> Corpus:
    """Read the clips that `wakeword review --export` wrote.

    Args:
        where: its folder, or the manifest in it.
        corpus: the recordings that the word is trained and measured on.

    Raises:
        TrainingError: there are no clips, they are among the recordings already, or a speaker in
            them is also in the validation split.

    """
    folder = folder_of(where)
    if not (folder / manifest.NAME).is_file():
        raise TrainingError(
            f"{folder} holds no labelled clips; `wakeword review --export {folder}` puts them there"
        )
    if folder.resolve() == corpus.root.resolve():
        raise TrainingError(
            f"the clips in {folder} are among the recordings already; export them to another folder"
        )
    labelled = read_corpus(folder)
    heard = {r.speaker for r in labelled.recordings if r.speaker}
    known = {r.speaker for r in corpus.in_split("val") if r.speaker}
    shared = heard & known | {
        speaker
        for speaker in heard
        if any(_name(speaker) == _name(other) and _is_own(other) for other in known)
    }
    if shared:
        names = ", ".join(sorted(map(_name, shared)))
        raise TrainingError(
            f"the labelled clips are by {names}, who also speaks in the validation split; only"
            " other people there can show how well strangers are heard"
        )
    return labelled


def takes_in(
    labelled: Corpus, word: str, usual: float, features: FeatureSettings
) -> tuple[list[Take], list[str]]:
    """Find the word in the clips in which it is said; it ends at the end of each clip.

    Args:
        labelled: the clips.
        word: the word.
        usual: frames that the word usually lasts; speech before that is left out.
        features: the front end.

    Returns:
        the takes, and for each clip in which no word is found a sentence that says so.

    """
    mine = [r for r in labelled.recordings if r.word == word]
    longest = round(LONGER_THAN_USUAL * usual)
    heard = samples(longest / features.frames_per_second + MARGIN)
    front_end = MelPower(features)
    takes: list[Take] = []
    set_aside: list[str] = []
    for number, pcm in readable([r.path for r in mine], set_aside, title="reading clips"):
        power = front_end(pcm[-heard:])
        span = speech_span(power, longest)
        if span is None:
            set_aside.append(f"{mine[number].path}: nothing is spoken in it")
        else:
            takes.append(Take(mine[number], power, span))
    return takes, set_aside


def usual_length(takes: Sequence[Take]) -> float:
    """Return the mean number of frames that the word lasts."""
    return sum(len(take.span) for take in takes) / len(takes)


def _name(speaker: str) -> str:
    return speaker.rpartition("/")[2]


def _is_own(speaker: str) -> bool:
    return speaker.rpartition("/")[0] in OWN_SOURCES
