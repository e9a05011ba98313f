"""A number with its noun."""

from __future__ import annotations


def counted(number: int, one: str) -> str:
    """Return a number with its noun: `1 gap`, `2 gaps`.

    Args:
        number: how many.
        one: the noun for one of them; for more it gets an s.

    """
    return f"{number} {one}{'' if number == 1 else 's'}"
