"""What the daemon knows about itself; it never claims to hear when it does not."""

from __future__ import annotations

import os
import resource
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wakeword_daemon.audio.sources import CaptureState
from wakeword_daemon.errors import WakewordError

if TYPE_CHECKING:
    from wakeword_daemon.audio.sources import Source
    from wakeword_daemon.events.protocol import Detection
    from wakeword_daemon.service.listener import Listener

HUNG = 6.0
"""Seconds without a sign of life after which a thread will not come back by itself."""

_PAUSED = 3.0
"""Seconds between two checks, of which there is one a second, after which nobody here was run."""


class HungError(WakewordError):
    """A thread hangs in a library call, which only a new process can cure."""

    exit_code = 75  # EX_TEMPFAIL: try again


class Health:
    """Reads the signs of life of the capture thread and of the engine thread.

    Attributes:
        state: what capture last said about itself.
        last_detection: what was heard last, if anything yet.

    """

    def __init__(self, source: Source, listener: Listener) -> None:
        self.state = CaptureState("starting", "", None, None)
        self.last_detection: Detection | None = None
        self._source = source
        self._listener = listener
        self._started = self._checked = self._resumed = time.monotonic()
        self._hops_seen = 0

    def status_line(self, words: list[str]) -> str:
        """Return how things are in one line, as `systemctl status` shows it."""
        device = self.state.device or "the microphone"
        rate = f" at {self.state.rate} Hz" if self.state.rate else ""
        if self.state.name == "listening":
            return f"listening for {', '.join(words)} on {device}{rate}"
        return f"{self.state.name}: {self.state.reason}"

    def check(self) -> None:
        """Raise HungError if a thread no longer comes back from where it went.

        A process that was stopped, or starved, hangs as a whole and goes on by itself: its threads
        get their time afresh.
        """
        now = time.monotonic()
        if now - self._checked > _PAUSED:
            self._resumed = now
        self._checked = now
        for name, heartbeat in (
            ("sound library", self._source.heartbeat),
            ("engine", self._listener.heartbeat),
        ):
            silent = now - max(heartbeat, self._resumed)
            if silent > HUNG:
                raise HungError(
                    f"the {name} has hung for {silent:.0f} s; ending, so that the service"
                    " manager can start afresh"
                )

    def hears(self) -> bool:
        """Tell whether hops went through the engine since the last call.

        While capture says that there is nothing to hear, it is enough that both threads live.
        """
        moved = self._listener.hops != self._hops_seen
        self._hops_seen = self._listener.hops
        return moved or self.state.name != "listening"

    def snapshot(self) -> dict[str, Any]:
        """Return everything `wakeword status` shows, ready for JSON."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "state": self.state.name,
            "reason": self.state.reason,
            "device": self.state.device,
            "rate": self.state.rate,
            "pid": os.getpid(),
            "uptime": round(time.monotonic() - self._started, 1),
            "hops": self._listener.hops,
            "gaps": self._listener.gaps,
            "lost": self._listener.lost,
            "backlog": self._listener.backlog,
            "last_detection": self.last_detection,
            "capture": asdict(self._source.counters),
            "cpu": round(usage.ru_utime + usage.ru_stime, 3),
            "rss": _resident_bytes(),
        }


def _resident_bytes() -> int:
    """Return the memory of this process that is in RAM now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()
