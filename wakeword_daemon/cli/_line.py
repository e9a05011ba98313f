"""A line of the terminal that is drawn again and again: progress, a meter."""

from __future__ import annotations

import os
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self, TextIO

_WIPE = "\r\x1b[K"


class Line:
    """A line that each text replaces; a context manager, at whose end it is wiped.

    Where the stream is no terminal, nothing is ever written.

    Args:
        stream: where it is drawn; by default standard error, so that output stays as it is.
        after: seconds before the first text is shown: what is done sooner needs no progress.
        every: seconds that a text stays before the next one may replace it.

    """

    def __init__(
        self, stream: TextIO | None = None, *, after: float = 1.0, every: float = 0.1
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        self.shows = is_terminal(self._stream)
        self._every = every
        self._next = time.monotonic() + after
        self._drawn = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.wipe()

    def show(self, text: str) -> None:
        """Show a text, cut to the width of the terminal, if it is time for a new one."""
        if not self.shows or time.monotonic() < self._next:
            return
        width = os.get_terminal_size(self._stream.fileno()).columns
        # A text that fills the last column would continue on the next line. Width 0: it is unknown.
        shown = text[: width - 1] if width else text
        self._stream.write(_WIPE + shown)
        self._stream.flush()
        self._drawn = True
        self._next = time.monotonic() + self._every

    def wipe(self) -> None:
        """Make room for output on the same terminal; the next text is drawn below it."""
        if self._drawn:
            self._stream.write(_WIPE)
            self._stream.flush()
            self._drawn = False


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a stream is a terminal whose cursor can be moved; None is a closed stream."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


def clock(seconds: float) -> str:
    """Return a length of time as text: 1:02:03."""
    return str(timedelta(seconds=int(seconds)))
