"""Warnings about something that is tried again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging


class RepeatedWarning:
    """Logs what is wrong, but not a second time while the reason stays the same."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._last = ""

    def warn(self, text: str) -> None:
        """Log a warning, unless it is the same as the last one."""
        if text != self._last:
            self._last = text
            self._logger.warning("%s; trying again", text)

    def clear(self) -> None:
        """Note that all is well, so that the next warning is logged whatever it says."""
        self._last = ""
