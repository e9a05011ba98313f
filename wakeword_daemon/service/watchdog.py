"""Whether the daemon still does its work; only a new process cures a library that hangs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from wakeword_daemon.errors import WakewordError

if TYPE_CHECKING:
    from wakeword_daemon.audio.sources import AudioSource
    from wakeword_daemon.service.hearing import Hearing

HUNG = 6.0
"""Seconds without a sign of life after which a part counts as hung."""

_PAUSED = 3.0
"""Seconds between two checks, normally one, from which on the process must have been paused."""


class HungError(WakewordError):
    """A thread hangs in a library call, and only a new process can help."""

    exit_code = 75  # EX_TEMPFAIL: try again


class Watchdog:
    """Reads the signs of life of the sound library and of the engine, which share a thread."""

    def __init__(self, source: AudioSource, engine: Hearing) -> None:
        self._source = source
        self._engine = engine
        self._checked = self._resumed = time.monotonic()
        self._hops_seen = 0

    def check(self) -> None:
        """Check both; to be called once a second.

        A process that was stopped or starved of CPU time hangs as a whole and recovers by itself,
        so after such a pause both get the full time again.

        Raises:
            HungError: one has shown no sign of life for `HUNG` seconds.

        """
        now = time.monotonic()
        if now - self._checked > _PAUSED:
            self._resumed = now
        self._checked = now
        for name, heartbeat in (
            # An engine that hangs keeps its thread from calling the sound library.
            ("engine", self._engine.heartbeat),
            ("sound library", self._source.heartbeat),
        ):
            silent = now - max(heartbeat, self._resumed)
            if silent > HUNG:
                raise HungError(
                    f"the {name} has hung for {silent:.0f} s; ending, so that the service"
                    " manager starts a new process"
                )

    def hears(self) -> bool:
        """Return whether hops went through the engine since the last call.

        While capture says that there is nothing to hear, it is enough that both live.
        """
        moved = self._engine.hops != self._hops_seen
        self._hops_seen = self._engine.hops
        return moved or self._source.state.name != "listening"
