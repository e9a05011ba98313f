"""How a wake word is named."""

from __future__ import annotations

import re

MODEL_SUFFIX = ".safetensors"


def is_path(reference: str) -> bool:
    """Return whether a text is a path to a model file, and not the name of a word."""
    return "/" in reference or reference.endswith(MODEL_SUFFIX)


def plain_name(word: str) -> str:
    """Return the one spelling of a word's name: “Smart mirror” becomes `smart_mirror`.

    A path stays as it is.
    """
    return word if is_path(word) else re.sub(r"[\s_-]+", "_", word.strip()).casefold()
