"""Which wake words a peer means by the names it sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wakeword_daemon.events.framing import ProtocolError
from wakeword_daemon.names import find_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def find_words(names: Iterable[str], words: Sequence[str]) -> list[str]:
    """Return the wake words that the names mean.

    Args:
        names: what a peer sent; “smart mirror” and `smart_mirror` are the same word.
        words: the wake words there are.

    Raises:
        ProtocolError: no wake word has such a name.

    """
    found = []
    for name in names:
        word = find_name(name, words)
        if word is None:
            raise ProtocolError(
                "unknown-word",
                f"no wake word is called {name[:40]!r}; the words are: {', '.join(words)}",
            )
        found.append(word)
    return found
