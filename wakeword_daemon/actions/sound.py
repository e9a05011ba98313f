"""The action `on_detection.sound`: plays a sound, and ignores what it triggers itself."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from typing import TYPE_CHECKING

from wakeword_daemon.actions import program
from wakeword_daemon.audio.player import PLAYERS

if TYPE_CHECKING:
    from pathlib import Path

    from wakeword_daemon.events.protocol import Detection, StateChanged

logger = logging.getLogger(__name__)

LONGEST = 30.0
"""Seconds after which a sound is cut off."""

ECHO = 1.0
"""Seconds after the end of a sound in which a detection still counts as its echo: the way through
the room, reverberation, and the time that the network needs."""


class Sound:
    """Plays a file at each detection; a detection while it plays is the sound's own echo.

    Args:
        path: a sound file that the player reads: WAV, and FLAC or OGG with a sound server.
        interval: seconds that pass at least between two starts.

    """

    def __init__(self, path: Path, interval: float) -> None:
        self._path = path
        self._interval = interval
        self._began = self._ended = float("-inf")  # Unix seconds
        self._ready_at = 0.0
        self._task: asyncio.Task[None] | None = None

    def echoes(self, wall_time: float) -> bool:
        """Return whether a word heard at that Unix time may be the sound itself."""
        return self._began <= wall_time <= self._ended + ECHO

    def heard(self, _: Detection) -> None:
        """Play the sound, unless it was begun a moment ago."""
        now = asyncio.get_running_loop().time()
        playing = self._task is not None and not self._task.done()
        if playing or now < self._ready_at:
            return
        self._ready_at = now + self._interval
        self._task = asyncio.create_task(self._play())

    def changed(self, _: StateChanged) -> None:
        """Do nothing."""

    async def stop(self) -> None:
        """Break the sound off."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _play(self) -> None:
        player = next((found for found in PLAYERS if shutil.which(found[0])), None)
        if player is None:
            logger.error(
                "no program that plays sounds is installed: sudo apt install pulseaudio-utils"
            )
            return
        self._began, self._ended = time.time(), float("inf")
        try:
            await program.run([*player, str(self._path)], time_limit=LONGEST)
        finally:
            self._ended = time.time()
