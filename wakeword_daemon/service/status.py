"""The daemon's status, which never says that it hears when it does not."""

from __future__ import annotations

import os
import resource
import time
from typing import TYPE_CHECKING

from wakeword_daemon.audio.sources import CaptureState
from wakeword_daemon.engine.streams import running_step
from wakeword_daemon.events.protocol import CaptureCounters, Detection, Problem, Status
from wakeword_daemon.memory import STATM, resident_bytes

if TYPE_CHECKING:
    from wakeword_daemon.audio.sources import AudioSource
    from wakeword_daemon.service.hearing import Hearing


class StatusReporter:
    """Collects the daemon's status from its threads and from the process.

    Attributes:
        state: the latest state of capture.
        last_detection: the latest detection; None before the first.

    """

    def __init__(self, source: AudioSource, engine: Hearing) -> None:
        self.state = CaptureState("starting", "", None, None)
        self.last_detection: Detection | None = None
        self._source = source
        self._engine = engine
        self._started = time.monotonic()
        # Kept open, to answer also where no descriptor is free.
        self._statm = os.open(STATM, os.O_RDONLY | os.O_CLOEXEC)

    def line(self, words: list[str]) -> str:
        """Return the status in one line, for `systemctl status`."""
        state = self.state
        if state.name == "listening":
            rate = f" at {state.rate} Hz" if state.rate else ""
            return f"listening for {', '.join(words)} on {state.device or 'the microphone'}{rate}"
        separator = " " if state.name == "paused" else ": "
        return f"{state.name}{separator}{state.reason}"

    def status(self, words: list[str], paused_until: float | None, no_clips: str | None) -> Status:
        """Return the status; the server adds the numbering and the subscribers.

        Args:
            words: names of all wake words.
            paused_until: end of the pause in Unix seconds, if it has one.
            no_clips: why no clips are kept, if that fails.

        """
        problems = [Problem(name=one.name, text=one.text) for one in self._source.problems]
        if no_clips:
            problems.append(Problem(name="clips", text=no_clips))
        state, counters, engine = self.state, self._source.counters, self._engine
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return Status(
            state=state.name,
            reason=state.reason,
            paused_until=paused_until,
            device=state.device,
            rate=state.rate,
            words=words,
            last_detection=self.last_detection,
            step=running_step(),
            hops=engine.hops,
            gaps=engine.gaps,
            lost=engine.lost,
            backlog=engine.backlog,
            capture=CaptureCounters(
                gaps=counters.gaps,
                lost=counters.lost,
                reopened=counters.reopened,
                overflows=counters.overflows,
            ),
            problems=problems,
            pid=os.getpid(),
            uptime=round(time.monotonic() - self._started, 1),
            cpu=round(usage.ru_utime + usage.ru_stime, 3),
            rss=resident_bytes(self._statm),
        )
