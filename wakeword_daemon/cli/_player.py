"""Plays a sound file for the person at the terminal."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from wakeword_daemon.audio.player import PLAYERS

if TYPE_CHECKING:
    from pathlib import Path


class Player:
    """Plays one file at a time, by the program that the daemon's own sounds are played by."""

    def __init__(self) -> None:
        self._program = next((found for found in PLAYERS if shutil.which(found[0])), None)
        self._playing: subprocess.Popen[bytes] | None = None

    def play(self, path: Path) -> str:
        """Begin to play a file; return why that is not possible, or nothing."""
        self.stop()
        if self._program is None:
            return "no program plays sounds here: sudo apt install pulseaudio-utils"
        self._playing = subprocess.Popen(
            [*self._program, str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return ""

    def wait(self) -> bool:
        """Wait until the file is played; return whether it was."""
        if self._playing is None:
            return True
        code = self._playing.wait()
        self._playing = None
        return code == 0

    def stop(self) -> None:
        """Break off."""
        if self._playing is not None:
            self._playing.kill()
            self._playing.wait()
            self._playing = None
