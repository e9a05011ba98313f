"""Single keys from a terminal."""

from __future__ import annotations

import os
import sys
import termios
import tty
from contextlib import contextmanager
from select import select
from typing import TYPE_CHECKING

from wakeword_daemon.errors import WakewordError

if TYPE_CHECKING:
    from collections.abc import Iterator

_INTERRUPT, _END, _ESCAPE = "\x03", "\x04", "\x1b"


class Keys:
    """Reads keys of a terminal as they are pressed."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._waiting = ""  # pressed and not asked for yet

    def read(self, timeout: float | None = None) -> str:
        """Return the next key, in lower case, or "" after `timeout` seconds.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed, or the terminal has gone.

        """
        if not self._waiting:
            if not select([self._terminal], [], [], timeout)[0]:
                return ""
            self._waiting = os.read(self._terminal, 64).decode(errors="replace").lower() or _END
        if self._waiting[0] == _ESCAPE:  # an arrow or the like comes as a sequence
            key, self._waiting = self._waiting, ""
        else:
            key, self._waiting = self._waiting[0], self._waiting[1:]
        if key in (_INTERRUPT, _END):
            raise KeyboardInterrupt
        return key

    def choose(self, choices: str) -> str:
        """Return the next key that is one of `choices`."""
        while (key := self.read()) not in choices:
            pass
        return key


@contextmanager
def keys(task: str) -> Iterator[Keys]:
    """Let single keys be read from standard input; `task` is what needs them, for the error.

    Raises:
        WakewordError: standard input or output is no terminal.

    """
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()):
        raise WakewordError(f"{task} needs a terminal")
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal)
        yield Keys(terminal)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
