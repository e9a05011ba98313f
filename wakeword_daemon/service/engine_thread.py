"""The engine thread: every hop of the ring goes through the detector, in order, once."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from wakeword_daemon.clock import HOP, samples, seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from wakeword_daemon.audio.ring import RingBuffer
    from wakeword_daemon.engine import Detection, Detector

logger = logging.getLogger(__name__)

_PATIENCE = 0.5
"""Seconds without audio after which the thread shows that it is still alive."""

_WARM_UP = samples(2.0)
"""What a new detector hears again of the past, so that a word being spoken is not lost."""


class EngineThread:
    """Reads the ring and calls `on_detection(detection, wall_time)` for every spoken word.

    Both callbacks run on the engine thread. `on_end` is called once when the ring is closed and
    heard to its end (with None), or when the engine failed (with the failure).

    Attributes:
        hops: blocks that have gone through the engine.
        gaps: times at which audio was missing and the engine started afresh.
        lost: samples that were missing.
        heartbeat: `time.monotonic()` of the thread's last sign of life.

    """

    def __init__(
        self,
        ring: RingBuffer,
        detector: Detector,
        on_detection: Callable[[Detection, float], None],
        on_end: Callable[[Exception | None], None],
    ) -> None:
        self._ring = ring
        self._reader = ring.reader()
        self._detector = detector
        self._on_detection = on_detection
        self._on_end = on_end
        self._wanted = detector
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self.hops = 0
        self.gaps = 0
        self.lost = 0
        self.heartbeat = time.monotonic()

    @property
    def backlog(self) -> int:
        """Samples captured and not yet heard."""
        return self._reader.backlog

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def join(self, timeout: float) -> bool:
        """Wait until a closed ring is heard to its end; tell whether it was within `timeout` s."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def replace(self, detector: Detector) -> None:
        """Listen with another detector from the next hop on, without losing audio."""
        self._wanted = detector

    def _run(self) -> None:
        failure = None
        try:
            self._listen()
        except Exception as error:  # whatever it is, the daemon must not go on deaf
            logger.exception("the engine failed")
            failure = error
        self._on_end(failure)

    def _listen(self) -> None:
        clock = self._ring.clock
        while True:
            self.heartbeat = time.monotonic()
            try:
                block = self._reader.read(HOP, _PATIENCE)
            except TimeoutError:
                continue
            if block is None:
                return
            if self._wanted is not self._detector:
                self._detector = self._wanted
                self._catch_up(clock)
            if block.lost:
                self.gaps += 1
                self.lost += block.lost
                logger.warning("%.2f s of audio went unheard", seconds(block.lost))
                self._detector.reset(block.start)
            for detection in self._detector.push(block.pcm):
                self._on_detection(detection, self._ring.wall_time(detection.sample))
            self.hops += 1
            clock = block.start + len(block.pcm)

    def _catch_up(self, clock: int) -> None:
        """Let the new detector hear what its predecessor heard last, which was reported already."""
        start, pcm = self._ring.copy(clock - _WARM_UP, clock)
        self._detector.reset(start)
        self._detector.push(pcm)
