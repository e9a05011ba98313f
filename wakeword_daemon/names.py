"""How a wake word is named."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MODEL_SUFFIX = ".safetensors"


def is_path(reference: str) -> bool:
    """Return whether a text is a path to a model file, and not the name of a word."""
    return "/" in reference or reference.endswith(MODEL_SUFFIX)


def plain_name(word: str) -> str:
    """Return the one spelling of a word's name: “Smart mirror” becomes `smart_mirror`.

    A path stays as it is.
    """
    return word if is_path(word) else re.sub(r"[\s_-]+", "_", word.strip()).casefold()


def find_name(word: str, names: Iterable[str]) -> str | None:
    """Return which of some names is the word, however it is spelt; None if none is."""
    known = {plain_name(name): name for name in names}
    return known.get(plain_name(word))
