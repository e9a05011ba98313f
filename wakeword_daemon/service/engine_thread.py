"""The engine's thread: every hop of the ring goes through the detector, once and in order."""

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
"""Seconds without audio after which the thread gives a sign of life all the same."""

_WARM_UP = samples(2.0)
"""Samples of the past that a new detector hears, so that a word being spoken is not lost."""


class EngineThread:
    """Reads the ring and reports every detection. Both callbacks run on this thread.

    Args:
        ring: where the audio comes from.
        detector: what listens to it; see `replace`.
        on_detection: called with each detection and its Unix time, in seconds.
        on_end: called once: with None when the ring was closed and heard to its end, or with the
            failure of the engine.

    Attributes:
        hops: blocks of 80 ms that have gone through the engine.
        gaps: times at which audio was missing and the engine started afresh.
        lost: samples (16 kHz) that were missing.
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
        """Samples that are captured and have not gone through the engine yet."""
        return self._reader.backlog

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self, timeout: float) -> bool:
        """Wait until a closed ring is heard to its end; return False after `timeout` seconds."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def replace(self, detector: Detector) -> None:
        """Go on with another detector from the next hop on, without losing audio."""
        self._wanted = detector

    def _run(self) -> None:
        failure = None
        try:
            self._listen()
        except Exception as error:  # whatever it is, the daemon must not stay without its engine
            logger.exception("the engine failed")
            failure = error
        self._on_end(failure)

    def _listen(self) -> None:
        clock = self._ring.clock
        while True:
            self.heartbeat = time.monotonic()
            overwritten = self._reader.lost
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
                why = "the engine fell behind" if self._reader.lost > overwritten else "a gap"
                logger.warning("%.2f s of audio went unheard: %s", seconds(block.lost), why)
                self._detector.reset(block.start)
            for detection in self._detector.push(block.pcm):
                self._on_detection(detection, self._ring.wall_time(detection.sample))
            self.hops += 1
            clock = block.start + len(block.pcm)

    def _catch_up(self, clock: int) -> None:
        """Let a new detector hear the last seconds, whose words the old one has reported."""
        start, pcm = self._ring.copy(clock - _WARM_UP, clock)
        self._detector.reset(start)
        self._detector.push(pcm)
