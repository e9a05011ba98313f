"""The microphone: a thread that records, notices when no audio comes, and recovers.

The sound library is polled. A callback would need memory that is both writable and executable,
which a sandbox forbids, and a blocking read does not return when the sound server hangs. Recording
fails in these ways:

- The server or the device is gone: a call fails. The stream is opened again, with growing pauses
  and, if necessary, after a new search for devices. Where a server was, a device is opened without
  it only after ten seconds.
- The server hangs or the device stalls: no block comes for 1 s. The stream is opened again; if
  PortAudio hangs then, the heartbeat stops.
- The source is gone, but the server goes on: it sends exact zeros, which no real microphone does.
  The state is "degraded". The stream is opened again, more and more rarely, because the microphone
  may just be muted (see `zeros`).
- Audio is dropped or held back: the sample clock and the computer's clock drift apart. The sample
  clock is moved on; if they are more than 1 s apart, the stream is opened again.

When the default device changes, a sound server moves the stream by itself.
"""

from __future__ import annotations

import atexit
import logging
import math
import sys
import time
from typing import TYPE_CHECKING

from wakeword_daemon.audio import devices
from wakeword_daemon.audio.problems import ProblemWatch
from wakeword_daemon.audio.pulse import ServerError
from wakeword_daemon.audio.sources import AudioSource, CaptureSettings, CaptureState
from wakeword_daemon.audio.stream import open_microphone, require_library
from wakeword_daemon.audio.timekeeper import DriftError, Timekeeper, now
from wakeword_daemon.audio.zeros import ZeroWatch
from wakeword_daemon.clock import seconds
from wakeword_daemon.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Callable

    from wakeword_daemon.audio.ring import RingBuffer
    from wakeword_daemon.audio.stream import InputStream, Recorded
    from wakeword_daemon.pcm import Samples

__all__ = ["Capture", "CaptureSettings", "CaptureState"]

logger = logging.getLogger(__name__)

_STALL = 1.0
"""Seconds without a block after which a stream counts as dead."""

_LATE = 0.25
"""Most seconds that a poll takes, if the thread gets CPU time."""

_NAP = 4
"""Blocks to wait for while the room is calm: a word lasts longer."""

_PAUSE = (0.1, 0.6)
"""Seconds between two attempts to open: at first, and at most.

An attempt costs 5 ms of CPU. Even the longest pause is short, because the user may just be plugging
the microphone in.
"""

_STABLE = 3.0
"""Seconds after which the end of a stream counts as a new fault."""

_FORGIVEN = 2
"""Streams in a row that may end sooner; then one must last as long to count as "listening"."""

_AWAY = 10.0
"""Seconds for which a sound server that was there may be away, as when it is started again.

Only then is a microphone opened without it, which would keep the server from having it.
"""


class _StallError(Exception):
    """The stream is open, but no audio comes."""


_FAULTS = (AudioError, DriftError, _StallError)


class Capture(AudioSource):
    """Records from a microphone into a ring until it is stopped, whatever the device does.

    The ring's clock also advances while nothing is recorded, so that after the first sample it
    keeps pace with the computer's clock.

    Args:
        settings: which microphone, and how.
        ring: what it writes to.
        on_state: see `AudioSource`.
        on_audio: see `AudioSource`.

    """

    def __init__(
        self,
        settings: CaptureSettings,
        ring: RingBuffer,
        on_state: Callable[[CaptureState], None],
        on_audio: Callable[[Samples], bool] = lambda _: False,
    ) -> None:
        super().__init__("capture", ring, on_state, on_audio)
        self._settings = settings
        self._changed = False
        self._opened = False
        self._time = Timekeeper()
        self._broken = 0
        self._served = -math.inf  # when a sound server's stream ended
        self._rested = False  # what is missing before the next block was not to be heard
        self._zeros = ZeroWatch()
        self._watch = ProblemWatch(settings.channel)

    def start(self) -> None:
        """Start recording.

        Raises:
            AudioError: no sound library is installed.

        """
        require_library(self._settings)
        super().start()

    def stop(self, timeout: float = 1.0) -> bool:
        """Stop; return whether the thread ended within `timeout` seconds."""
        ended = super().stop(timeout)
        if not ended and "sounddevice" in sys.modules:
            # The interpreter would wait for the hung library at its end.
            atexit.unregister(sys.modules["sounddevice"]._exit_handler)  # noqa: SLF001
        return ended

    def change(self, settings: CaptureSettings) -> None:
        """Change to another device, channel or rate."""
        self._settings = settings
        self._changed = True

    def _run(self) -> None:
        # PortAudio and ALSA print something when a call fails, as polling a dead stream does.
        with devices.quiet():
            pause = 0.0
            while not self._stopping.wait(pause):
                if self._paused:
                    self._rest()
                    self._zeros.forget()
                    self._rested = True
                    pause = 0.0
                    continue
                stream = self._open()
                if stream is not None and self._record(stream):
                    pause = 0.0
                else:
                    pause = _twice(pause, _PAUSE)

    def _open(self) -> InputStream | None:
        """Open the microphone; return None if that fails even after a new search for devices."""
        if self._changed:
            self._changed = False
            self._zeros.forget()
            self._watch = ProblemWatch(self._settings.channel)
            self.problems = ()
            # The result of new settings is always reported, even if they cannot be used.
            self.state = CaptureState("starting", "", None, None)
        reason = ""
        for search in (False, True):
            self._beat()
            try:
                stream = open_microphone(
                    self._settings, search=search, server_only=now() - self._served < _AWAY
                )
            except ServerError as error:  # PortAudio was not asked, so it has nothing to search
                reason = str(error)
                break
            except _FAULTS as error:
                reason = str(error)
            else:
                if self._opened and not self._rested:  # the end of a pause is no trouble
                    self.counters.reopened += 1
                self._opened = True
                self._watch.interrupted()
                return stream
        self._say("deaf", reason)
        self._zeros.forget()  # the missing audio explains them
        return None

    def _record(self, stream: InputStream) -> bool:
        """Record while the stream is good; return whether to open it again at once."""
        opened = now()
        try:
            self._listen(stream, opened)
        except _FAULTS as error:
            self._watch.broke_off(now())
            stable = now() - opened > _STABLE
            if stable:
                self._broken = 0
            elif self.state.name != "deaf":
                self._broken += 1
            if isinstance(error, _StallError) or self._broken > _FORGIVEN:
                self._say("deaf", f"{stream.name} broke off: {error}")
            else:
                logger.info("opening %s again: %s", stream.name, error)
            return stable
        finally:
            if stream.of_server:
                self._served = now()
            self._time.broken(stream.trail)
            stream.close()
        return True

    def _listen(self, stream: InputStream, opened: float) -> None:
        """Write to the ring; return when the stream must be opened again.

        Raises:
            AudioError: the device is gone.
            DriftError: audio was lost.
            _StallError: no audio comes.

        """
        proof = _STABLE if self._broken > _FORGIVEN else 0.0
        waited, blocks, said = 0.0, 1, False
        self._beat()
        while not (self._stopping.is_set() or self._changed or self._paused):
            before = self.heartbeat
            block = stream.poll(blocks)
            self._beat()
            if block is None:
                # A thread without CPU time has not polled either.
                waited += min(self.heartbeat - before, _LATE)
                blocks = 1
                if waited > _STALL:
                    raise _StallError("no audio arrives")
                continue
            waited = 0.0
            lived = now() - opened
            self._write(block, stream.trail)
            if self._watch.due(block.duration) and self._watch.look(
                block.pcm, stream.raw, stream.channels, block.captured
            ):
                self._tell_problems()
            blocks = _NAP if self._on_audio(block.pcm) and self._settings.naps else 1
            sound = any(block.pcm)
            again = self._zeros.push(sound=sound, duration=block.duration, lived=lived)
            if self._zeros.suspicious:
                if self.state.name == "listening":
                    self._watch.broke_off(now())
                self._say(
                    "degraded",
                    f"{stream.name} gives exact zeros: it is muted, or its source is gone.",
                    stream.name,
                    stream.rate,
                )
                said = False
            elif not said and lived >= proof:
                self._say("listening", "", stream.name, stream.rate)
                said = True
            if again:
                return

    def _tell_problems(self) -> None:
        """Log what is wrong with the sound now and was not before, and the other way round."""
        before, self.problems = self.problems, self._watch.problems
        old, new = {one.name for one in before}, {one.name for one in self.problems}
        for problem in self.problems:
            if problem.name not in old:
                logger.warning("%s: %s", problem.name, problem.text)
        for name in sorted(old - new):
            logger.info("%s: no longer", name)

    def _write(self, block: Recorded, trail: int) -> None:
        """Write a block to the ring, after skipping what is missing before it."""
        missing = self._time.block(block.captured, block.duration, dropped=block.dropped)
        if missing:
            if not self._rested:
                self.counters.gaps += 1
                self.counters.lost += missing
            self._ring.skip(missing)
        self._rested = False
        self.counters.overflows += block.dropped
        if block.dropped:
            self._watch.interrupted()
        age = now() - self._time.until + seconds(trail)
        self._ring.write(block.pcm, time.time() - age)


def _twice(value: float, least_most: tuple[float, float]) -> float:
    least, most = least_most
    return min(max(2 * value, least), most)
