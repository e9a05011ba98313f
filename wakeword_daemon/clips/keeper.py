"""The thread that writes clips, so that a slow or full disk does not disturb listening."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wakeword_daemon.clips.clip import Clip, Kind
from wakeword_daemon.clock import samples, seconds

if TYPE_CHECKING:
    from wakeword_daemon.audio.ring import RingBuffer
    from wakeword_daemon.clips.folder import ClipFolder, ClipLimits

logger = logging.getLogger(__name__)

BEFORE = samples(2.0)
AFTER = samples(0.8)
"""Samples that a clip holds from before and after the score."""

_WAITING = 16
"""Clips that wait to be written; more are not kept."""
_LATE = 3.0
"""Seconds to wait for the end of a clip at a microphone that may have died."""
_PRUNE_EVERY = 3600.0
"""Seconds after which old clips go although no new one comes."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A score that is worth a clip."""

    word: str
    kind: Kind
    score: float
    threshold: float
    model: str
    sample: int


class ClipKeeper:
    """Cuts clips out of the ring and keeps them.

    Args:
        ring: where the audio is.
        folder: where the clips go.
        limits: what they may take.

    Attributes:
        failure: why the latest clip could not be kept, in a sentence; "" if it was.

    """

    def __init__(self, ring: RingBuffer, folder: ClipFolder, limits: ClipLimits) -> None:
        self._ring = ring
        self._folder = folder
        self._limits = limits
        self._queue: queue.Queue[Moment | None] = queue.Queue(_WAITING)
        self._stopping = threading.Event()
        self.failure = ""
        self._thread = threading.Thread(target=self._run, name="clips", daemon=True)
        self._thread.start()

    def keep(self, moment: Moment) -> None:
        """Keep what was heard around a moment; never waits, from any thread."""
        try:
            self._queue.put_nowait(moment)
        except queue.Full:
            logger.debug("too many clips at the same time: one of %s is not kept", moment.word)

    def stop(self) -> None:
        """Begin no other clip; never waits."""
        self._stopping.set()
        with contextlib.suppress(queue.Full):  # then the thread looks by itself
            self._queue.put_nowait(None)

    def join(self, timeout: float) -> None:
        """Wait for what is being written."""
        self._thread.join(timeout)

    def _run(self) -> None:
        self._try(None)
        while not self._stopping.is_set():
            try:
                moment = self._queue.get(timeout=_PRUNE_EVERY)
            except queue.Empty:
                moment = None
            self._try(moment)

    def _try(self, moment: Moment | None) -> None:
        """Keep a clip if there is one, and delete old ones; log a failure once."""
        try:
            if moment is not None:
                self._write(moment)
            if deleted := self._folder.prune(self._limits):
                logger.debug("deleted %d old clips", deleted)
        except OSError as error:
            failure = f"no clips are kept, {self._folder.path}: {error.strerror}"
            if failure != self.failure:
                logger.warning("%s", failure)
            self.failure = failure
        except Exception:  # the next clip may do better
            logger.exception("a clip failed")
        else:
            if self.failure and moment is not None:
                logger.info("clips are kept again")
                self.failure = ""

    def _write(self, moment: Moment) -> None:
        end = moment.sample + AFTER
        waited = 0.0
        while self._ring.clock < end and waited < _LATE and not self._stopping.wait(0.1):
            waited += 0.1
        start, pcm = self._ring.copy(moment.sample - BEFORE, end)
        clip = Clip(
            word=moment.word,
            kind=moment.kind,
            score=round(moment.score, 6),
            threshold=moment.threshold,
            model=moment.model,
            wall_time=self._ring.wall_time(moment.sample),
            at=round(seconds(moment.sample - start), 3),
            seconds=round(seconds(len(pcm)), 3),
        )
        self._folder.add(clip, pcm)
