"""All actions that the settings ask for, kept away from the daemon: what fails here is logged."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from wakeword_daemon.actions.command import Command
from wakeword_daemon.actions.sound import Sound

if TYPE_CHECKING:
    from wakeword_daemon.config import OnDetectionSection
    from wakeword_daemon.events.protocol import Detection

logger = logging.getLogger(__name__)


class Action(Protocol):
    """What is done at each detection; all of it on the event loop."""

    def heard(self, detection: Detection) -> None:
        """Take in a detection; never waits."""

    async def stop(self) -> None:
        """End whatever still runs."""


class Actions:
    """Hands each detection to every action."""

    def __init__(self, settings: OnDetectionSection) -> None:
        self._actions: list[Action] = []
        self._sound: Sound | None = None
        if settings.sound is not None:  # first, because it is the quickest answer
            self._sound = Sound(Path(settings.sound), settings.interval)
            self._actions.append(self._sound)
        if settings.command is not None:
            self._actions.append(Command(settings.command, settings.time_limit, settings.interval))

    def echoes(self, wall_time: float) -> bool:
        """Return whether a word heard at that Unix time may be our own sound."""
        return self._sound is not None and self._sound.echoes(wall_time)

    def heard(self, detection: Detection) -> None:
        """Act on a detection; never waits and never fails."""
        for action in self._actions:
            try:
                action.heard(detection)
            except Exception:  # an action is no reason to stop hearing
                logger.exception("an action failed")

    async def stop(self) -> None:
        """End whatever still runs."""
        await asyncio.gather(*(action.stop() for action in self._actions), return_exceptions=True)
