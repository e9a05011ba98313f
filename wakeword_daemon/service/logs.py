"""Formats the log for a person, or for the journal, which adds the date and the level itself."""

from __future__ import annotations

import logging
import os
import select
from typing import TYPE_CHECKING, TextIO

from wakeword_daemon.counts import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

_STDERR = 2
_SYSLOG = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3}


class JournalFormatter(logging.Formatter):
    """Puts the syslog priority in front of each line, see sd-daemon(3)."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record with the priority in front of each of its lines."""
        mark = f"<{_SYSLOG.get(record.levelno, 2)}>"
        return "\n".join(mark + line for line in super().format(record).splitlines())


class StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to standard error, and leaves lines out while whatever reads them hangs.

    Otherwise a journal that hangs, or a pager that waits for a key, would stop the daemon.
    """

    def __init__(self) -> None:
        super().__init__()
        self._left_out = 0
        self._room = select.poll()
        self._room.register(_STDERR, select.POLLOUT)

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record if there is room for it."""
        if not self._room.poll(0):
            self._left_out += 1
            return
        if self._left_out:
            lines, self._left_out = self._left_out, 0
            text = f"left out {counted(lines, 'line')} here, because nothing read the log"
            super().emit(logging.LogRecord(__name__, logging.WARNING, "", 0, text, None, None))
        super().emit(record)


def set_up(level: str, environ: Mapping[str, str] = os.environ) -> None:
    """Log messages of `level` (debug, info, warning, error) and above to standard error."""
    handler = StderrHandler()
    if _goes_to_journal(environ):
        handler.setFormatter(JournalFormatter("%(message)s"))
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def set_level(level: str) -> None:
    """Change the lowest level that is logged."""
    logging.getLogger().setLevel(level.upper())


def _goes_to_journal(environ: Mapping[str, str]) -> bool:
    """Return whether the service manager connected standard error to the journal."""
    stderr = os.fstat(_STDERR)
    return environ.get("JOURNAL_STREAM") == f"{stderr.st_dev}:{stderr.st_ino}"
