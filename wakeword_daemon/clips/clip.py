"""One clip: a FLAC file, and a JSON file with its description and its label."""

from __future__ import annotations

import re
import time
from typing import Literal, TypeAlias, get_args

import msgspec

Kind: TypeAlias = Literal["detection", "near-miss"]

Label: TypeAlias = Literal["right", "wrong", "missed"]
"""What a person says about a clip. Right: it reported a word that was said, or nothing when nobody
said it. Wrong: it reported a word that nobody said. Missed: it did not report a word that was said.
"""

LABELS: dict[Kind, tuple[Label, ...]] = {
    "detection": ("right", "wrong"),
    "near-miss": ("missed", "right"),
}
"""The labels that a clip of each kind can have."""

KINDS: tuple[Kind, ...] = get_args(Kind)


class Clip(msgspec.Struct, frozen=True, kw_only=True):
    """The description of a clip."""

    word: str
    kind: Kind
    score: float
    """Of the detection, or the highest one of a near miss, 0 to 1."""
    threshold: float
    """What it was compared with."""
    model: str
    """Id of the model that heard it."""
    wall_time: float
    """Unix time of that score, in seconds."""
    at: float
    """The same moment in seconds from the start of the clip."""
    seconds: float
    """Length of the clip."""
    label: Label | None = None

    @property
    def said(self) -> bool | None:
        """Whether the word was said in it; None without a label."""
        if self.label is None:
            return None
        return self.label == "missed" or (self.kind == "detection" and self.label == "right")

    @property
    def name(self) -> str:
        """Name of its files without the suffix; names sort by time."""
        return f"{stamp(self.wall_time)}-{self.word}-{self.kind}"


def stamp(wall_time: float) -> str:
    """Return what the name of a clip of that Unix time begins with; stamps sort by time."""
    whole, part = divmod(round(wall_time * 1000), 1000)
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(whole))}.{part:03}"


def is_name(name: str) -> bool:
    """Return whether a clip could have that name."""
    return re.fullmatch(rf"\d{{8}}-\d{{6}}\.\d{{3}}-.+-(?:{'|'.join(KINDS)})", name) is not None
