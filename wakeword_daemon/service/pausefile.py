"""The file that lets a pause outlive the daemon, whatever ends it.

Whoever paused was promised a closed microphone, and a crash must not open it.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import msgspec

from wakeword_daemon import xdg
from wakeword_daemon.storage import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)


class KeptPause(msgspec.Struct, frozen=True):
    """A pause as it is kept."""

    until: float | None
    """Its end in Unix seconds; None if it lasts until it is resumed."""


class PauseFile:
    """Keeps the pause of the daemon with one socket.

    Args:
        socket: the daemon's socket, beside which the file lies; a service of the machine, which
            may not write there, has a folder for its state.

    """

    def __init__(self, socket: Path) -> None:
        state = xdg.service_state()
        beside = socket.with_name(f"{socket.name}.paused")
        self._path = beside if state is None else state / "paused"

    def read(self) -> KeptPause | None:
        """Return the pause that is kept, if there is one."""
        try:
            with self._path.open("rb") as file:
                if os.fstat(file.fileno()).st_uid not in (0, os.getuid()):
                    return None  # a stranger does not pause us
                return msgspec.json.decode(file.read(), type=KeptPause)
        except (OSError, msgspec.MsgspecError):
            return None

    def write(self, until: float | None) -> None:
        """Save a pause; a failure is only logged, because the pause itself goes on."""
        try:
            write_atomically(self._path, msgspec.json.encode(KeptPause(until)), 0o600)
        except OSError as error:
            logger.warning(
                "the pause would end with the daemon: cannot write %s: %s",
                self._path,
                error.strerror,
            )

    def delete(self) -> None:
        """Keep none."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            logger.warning("cannot delete %s: %s", self._path, error.strerror)
