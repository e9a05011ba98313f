"""Log lines for whoever reads them: journald, which dates and ranks them itself, or a person."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_STDERR = 2
_SYSLOG = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3}


class JournalFormatter(logging.Formatter):
    """Puts the syslog priority before each line, as sd-daemon(3) reads it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record with every line of it marked, so that none goes astray."""
        mark = f"<{_SYSLOG.get(record.levelno, 2)}>"
        return "\n".join(mark + line for line in super().format(record).splitlines())


def set_up(level: str, environ: Mapping[str, str] = os.environ) -> None:
    """Log to standard error from `level` (debug, info, warning or error) up."""
    handler = logging.StreamHandler()
    if _goes_to_journal(environ):
        handler.setFormatter(JournalFormatter("%(message)s"))
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def set_level(level: str) -> None:
    """Change the level from which messages are logged."""
    logging.getLogger().setLevel(level.upper())


def _goes_to_journal(environ: Mapping[str, str]) -> bool:
    """Tell whether standard error is the very stream that the manager said is the journal's."""
    stderr = os.fstat(_STDERR)
    return environ.get("JOURNAL_STREAM") == f"{stderr.st_dev}:{stderr.st_ino}"
