"""Splits the recordings for experiments, by a seeded permutation that is kept in a file."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wakeword_daemon.errors import TrainingError
from wakeword_daemon.storage import write_atomically
from wakeword_daemon.training.data.corpus import Corpus, Recording

TRAINED_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Split:
    """The recordings of a corpus in the order of the permutation.

    Recordings are shuffled, not speakers, as in the source report. It asks how much of a teacher's
    accuracy a student keeps, not how well either works for strangers. All clips of one recording
    are on the same side.

    Attributes:
        order: paths relative to the corpus's folder; the first 80 % are trained on.
        seed: seed of the permutation.

    """

    order: tuple[str, ...]
    seed: int

    def is_trained(self) -> list[bool]:
        """Return for each recording, in this order, whether it is trained on."""
        trained = int(TRAINED_SHARE * len(self.order))
        return [index < trained for index in range(len(self.order))]

    def arrange(self, corpus: Corpus) -> list[Recording]:
        """Return the corpus's recordings in this order."""
        by_name = _by_name(corpus)
        return [by_name[name] for name in self.order]


def split(corpus: Corpus, file: Path, seed: int = 0) -> Split:
    """Return the split in `file`; if there is none, draw one by `seed` and write it there.

    Raises:
        TrainingError: the file is not a split, or was made for another folder.

    """
    names = sorted(_by_name(corpus))
    if not file.exists():
        drawn = Split(tuple(random.Random(seed).sample(names, len(names))), seed)  # noqa: S311 -- a split, not a secret
        text = json.dumps({"seed": seed, "order": drawn.order}, indent=0)
        write_atomically(file, text.encode())
        return drawn
    try:
        content = json.loads(file.read_text())
        kept = Split(tuple(content["order"]), int(content["seed"]))
    except (ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{file} is not a split file: {error!r}") from error
    _refuse_strangers(kept, names, corpus, file)
    return kept


def _by_name(corpus: Corpus) -> dict[str, Recording]:
    """Return the recordings of speech by their relative path; noise is not split."""
    return {r.path.relative_to(corpus.root).as_posix(): r for r in corpus.recordings if not r.noise}


def _refuse_strangers(kept: Split, names: Sequence[str], corpus: Corpus, file: Path) -> None:
    absent = sorted(set(kept.order) - set(names))
    added = sorted(set(names) - set(kept.order))
    if not absent and not added and len(kept.order) == len(names):
        return
    found = []
    if absent:
        found.append(f"{len(absent)} of its recordings are not here, such as {absent[0]}")
    if added:
        found.append(f"{len(added)} here are not in it, such as {added[0]}")
    raise TrainingError(
        f"{file} does not fit {corpus.root}: {'; '.join(found) or 'it lists some twice'}. "
        "Give the folder that it was made for, or choose another folder for the runs"
    )
