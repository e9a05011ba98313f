"""Single keys from a terminal."""

from __future__ import annotations

import os
import re
import signal
import sys
import termios
import tty
from contextlib import contextmanager
from select import select
from typing import TYPE_CHECKING

from wakeword_daemon.errors import WakewordError

if TYPE_CHECKING:
    from collections.abc import Iterator

_INTERRUPT, _END = "\x03", "\x04"

_ONE_KEY = re.compile("\x1b[\\[O].|.", re.DOTALL)
"""An arrow, as terminals send them, or a character."""


class EndOfKeys(KeyboardInterrupt):
    """Ctrl-D was pressed, or the terminal has gone."""


class Keys:
    """Reads keys of a terminal as they are pressed."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._waiting: list[str] = []  # pressed, but not read yet

    def read(self, timeout: float | None = None) -> str:
        """Return the next key, an arrow as the sequence it comes as, or "" after `timeout` seconds.

        Raises:
            EndOfKeys: Ctrl-D was pressed, or the terminal has gone.
            KeyboardInterrupt: Ctrl-C was pressed.

        """
        if not self._waiting:
            if not select([self._terminal], [], [], timeout)[0]:
                return ""
            typed = os.read(self._terminal, 64).decode(errors="replace") or _END
            self._waiting = _ONE_KEY.findall(typed)
        key = self._waiting.pop(0)
        if key == _END:
            raise EndOfKeys
        if key == _INTERRUPT:
            raise KeyboardInterrupt
        return key

    def choose(self, choices: str) -> str:
        """Wait until one of the keys in `choices` is pressed; return it in lower case."""
        while (key := self.read().lower()) not in choices:
            pass
        return key


@contextmanager
def keys(task: str) -> Iterator[Keys]:
    """Read single keys from standard input; `task` is what needs them, for the error.

    The terminal is restored at the end, also after SIGTERM.

    Raises:
        WakewordError: standard input or output is no terminal.

    """
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()):
        raise WakewordError(f"{task} needs a terminal")
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    end = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        tty.setcbreak(terminal)
        yield Keys(terminal)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
        signal.signal(signal.SIGTERM, end)
