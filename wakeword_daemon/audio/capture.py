"""The microphone: one thread that records, notices when nothing comes, and recovers.

PortAudio is polled. A callback would need memory that is both writable and executable, which a
sandbox forbids, and a blocking read does not return when the sound server hangs. How recording
fails, and what is done about it:

- Server or device gone: a call fails. Open again, if necessary after another search for devices,
  with growing pauses.
- Server hung or device stalled: no block for 1 s. Open again; where that hangs too, the heartbeat
  stops.
- Source gone behind a server that goes on: exact zeros, which no real microphone gives. The state
  is "degraded", and the stream is opened again, ever more rarely, since it may just be muted
  (see `zeros`).
- Audio dropped or held back: the sample clock and the computer's clock drift apart. Move the sample
  clock on, or open again where they are more than 1 s apart.

A sound server whose default device changes moves the stream by itself.
"""

from __future__ import annotations

import atexit
import logging
import sys
import time
from typing import TYPE_CHECKING

import numpy as np

from wakeword_daemon.audio import devices
from wakeword_daemon.audio.sources import AudioSource, CaptureSettings, CaptureState
from wakeword_daemon.audio.stream import InputStream
from wakeword_daemon.audio.timekeeper import DriftError, Timekeeper, now
from wakeword_daemon.audio.zeros import ZeroWatch
from wakeword_daemon.clock import seconds
from wakeword_daemon.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Callable

    from wakeword_daemon.audio.ring import RingBuffer
    from wakeword_daemon.audio.stream import Recorded

__all__ = ["Capture", "CaptureSettings", "CaptureState"]

logger = logging.getLogger(__name__)

_STALL = 1.0
"""Seconds without a block after which a stream counts as dead."""

_LATE = 0.25
"""Seconds that a poll takes at most while the thread gets its CPU time."""

_NAP = 3
"""Blocks to wait for while the room is calm: a word lasts longer."""

_PAUSE = (0.1, 0.6)
"""Seconds between two attempts to open: at first, and at most.

An attempt costs 5 ms of CPU. The longest is short, for the user who plugs the microphone in again.
"""

_STABLE = 3.0
"""Seconds that a stream must last for its end to count as a new fault."""

_FORGIVEN = 2
"""Streams in a row that may end sooner; after those, one must last that long to be "listening"."""


class _StallError(Exception):
    """The stream is open and gives nothing."""


class Capture(AudioSource):
    """Records from a microphone into a ring until it is stopped, whatever the device does.

    Time in which nothing was recorded moves the ring's clock on, so that from the first sample on
    the sample clock keeps pace with the computer's.

    Args:
        settings: which microphone, and how.
        ring: what it writes to.
        on_state: see `AudioSource`.
        on_audio: likewise.

    """

    def __init__(
        self,
        settings: CaptureSettings,
        ring: RingBuffer,
        on_state: Callable[[CaptureState], None],
        on_audio: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__("capture", ring, on_state, on_audio)
        self._settings = settings
        self._changed = False
        self._opened = 0
        self._time = Timekeeper()
        self._broken = 0
        self._zeros = ZeroWatch()

    def start(self) -> None:
        """Begin to record.

        Raises:
            AudioError: PortAudio is not installed.

        """
        devices.require_portaudio()
        super().start()

    def stop(self, timeout: float = 1.0) -> bool:
        """End; return whether the thread ended within `timeout` seconds, rather than hang."""
        ended = super().stop(timeout)
        if not ended and "sounddevice" in sys.modules:
            # It would wait for the hung library when the interpreter ends.
            atexit.unregister(sys.modules["sounddevice"]._exit_handler)  # noqa: SLF001
        return ended

    def change(self, settings: CaptureSettings) -> None:
        """Go on with another device, channel or rate."""
        self._settings = settings
        self._changed = True

    def _run(self) -> None:
        # PortAudio and ALSA print when a call fails, and polling a dead stream is such a call.
        with devices.quiet():
            self._errors = (AudioError, DriftError, _StallError, devices.portaudio().PortAudioError)
            pause = 0.0
            while not self._stopping.wait(pause):
                stream = self._open()
                if stream is not None and self._record(stream):
                    pause = 0.0
                else:
                    pause = _twice(pause, _PAUSE)

    def _open(self) -> InputStream | None:
        """Open the microphone; return None where that fails, also after another search."""
        if self._changed:
            self._changed = False
            self._zeros.forget()
            # Whatever comes of the new settings is to be reported, also why they do not fit.
            self.state = CaptureState("starting", "", None, None)
        reason = ""
        for anew in (False, True):
            self._beat()
            try:
                if anew:
                    devices.refresh()
                stream = InputStream(devices.find(self._settings.device), self._settings)
            except self._errors as error:
                reason = str(error)
            else:
                self.counters.reopened = self._opened
                self._opened += 1
                return stream
        self._say("deaf", reason)
        self._zeros.forget()  # what is missing explains them
        return None

    def _record(self, stream: InputStream) -> bool:
        """Record as long as the stream is good; return whether to open it again at once."""
        opened = now()
        try:
            self._listen(stream, opened)
        except self._errors as error:
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
            self._time.broken(stream.trail)
            stream.close()
        return True

    def _listen(self, stream: InputStream, opened: float) -> None:
        """Write what comes to the ring; return when the stream is to be opened again.

        Raises:
            AudioError, DriftError, _StallError, PortAudioError: why it has to be.

        """
        proof = _STABLE if self._broken > _FORGIVEN else 0.0
        waited, blocks = 0.0, 1
        self._beat()
        while not self._stopping.is_set() and not self._changed:
            before = self.heartbeat
            block = stream.poll(blocks)
            self._beat()
            if block is None:
                # A thread that got no CPU time for a while has not polled either.
                waited += min(self.heartbeat - before, _LATE)
                blocks = 1
                if waited > _STALL:
                    raise _StallError("no audio comes")
                continue
            waited = 0.0
            lived = now() - opened
            self._write(block, stream.trail)
            blocks = _NAP if self._on_audio() and self._settings.naps else 1
            sound = bool(np.count_nonzero(block.pcm))
            again = self._zeros.push(sound=sound, duration=block.duration, lived=lived)
            if self._zeros.suspicious:
                self._say(
                    "degraded",
                    f"{stream.name} gives exact zeros: it is muted, or its source is gone.",
                    stream.name,
                    stream.rate,
                )
            elif lived >= proof:
                self._say("listening", "", stream.name, stream.rate)
            if again:
                return

    def _write(self, block: Recorded, trail: int) -> None:
        """Write a block to the ring, after what is missing before it."""
        missing = self._time.block(block.captured, block.duration, dropped=block.dropped)
        if missing:
            self.counters.gaps += 1
            self.counters.lost += missing
            self._ring.skip(missing)
        self.counters.overflows += block.dropped
        age = now() - self._time.until + seconds(trail)
        self._ring.write(block.pcm, time.time() - age)


def _twice(value: float, least_most: tuple[float, float]) -> float:
    least, most = least_most
    return min(max(2 * value, least), most)
