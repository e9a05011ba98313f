"""All configured actions. They cannot disturb the daemon: whatever fails here is logged."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from wakeword_daemon.actions import packages
from wakeword_daemon.actions.command import Command
from wakeword_daemon.actions.sound import Sound

if TYPE_CHECKING:
    from collections.abc import Callable

    from wakeword_daemon.actions.remote import Remote
    from wakeword_daemon.config import Config
    from wakeword_daemon.events.protocol import Detection, StateChanged

logger = logging.getLogger(__name__)


class Action(Protocol):
    """What is done at each detection and change of state; all of it on the event loop."""

    def heard(self, detection: Detection) -> None:
        """Act on a detection; never waits."""

    def changed(self, state: StateChanged) -> None:
        """Act on a new state; never waits."""

    async def stop(self) -> None:
        """End everything that still runs."""


class Actions:
    """Hands each event to every action that the config asks for.

    Args:
        config: the settings.
        remote: the daemon.

    Raises:
        ConfigError: an action needs a package that is not installed.

    """

    def __init__(self, config: Config, remote: Remote) -> None:
        packages.check(config)
        settings = config.on_detection
        self._config = config
        self._remote = remote
        self._running: list[Action] = []
        self._sound: Sound | None = None
        if settings.sound is not None:  # first, because it is the quickest answer
            self._sound = Sound(Path(settings.sound), settings.interval)
            self._running.append(self._sound)
        if settings.command is not None:
            self._running.append(Command(settings.command, settings.time_limit, settings.interval))

    def start(self) -> None:
        """Begin, on the event loop."""
        if self._config.dbus.enabled:
            from wakeword_daemon.actions.dbus import SessionBus  # noqa: PLC0415 -- an extra

            self._running.append(SessionBus(self._remote))
        if self._config.mqtt.host is not None:
            from wakeword_daemon.actions.mqtt import Mqtt  # noqa: PLC0415 -- an extra

            self._running.append(Mqtt(self._config.mqtt, self._remote))

    def echoes(self, wall_time: float) -> bool:
        """Return whether a word heard at that Unix time may be our own sound."""
        return self._sound is not None and self._sound.echoes(wall_time)

    def heard(self, detection: Detection) -> None:
        """Act on a detection; never waits and never fails."""
        self._each(lambda action: action.heard(detection))

    def changed(self, state: StateChanged) -> None:
        """Act on a new state; never waits and never fails."""
        self._each(lambda action: action.changed(state))

    async def stop(self) -> None:
        """End everything that still runs."""
        await asyncio.gather(*(action.stop() for action in self._running), return_exceptions=True)

    def _each(self, act: Callable[[Action], None]) -> None:
        for action in self._running:
            try:
                act(action)
            except Exception:  # an action is no reason to stop hearing
                logger.exception("an action failed")
