"""Runs the detector on every captured hop, once and in order.

It has no thread of its own, but runs on the thread that writes to the ring: waking another thread
for every hop, and passing the interpreter's lock to it, cost as much as the step itself.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from wakeword_daemon.clock import HOP, samples, seconds
from wakeword_daemon.service.calm import Calm

if TYPE_CHECKING:
    from collections.abc import Callable

    from wakeword_daemon.audio.ring import RingBuffer
    from wakeword_daemon.clips.clipper import Clipper
    from wakeword_daemon.engine import Detection, Detector, Step
    from wakeword_daemon.pcm import Samples
    from wakeword_daemon.service.telemetry import Telemeter

logger = logging.getLogger(__name__)

_WARM_UP = samples(2.0)
"""Samples of the past that a new detector hears, so that a word being spoken is not lost."""


class Hearing:
    """Reports every detection, on the thread that calls `hear`.

    Args:
        ring: what the audio is written to.
        detector: what listens to it; see `replace`.
        on_detection: called with each detection and its Unix time, in seconds.
        on_end: called once: with None at the end of all audio, or with the failure of the engine.

    Attributes:
        gaps: how often audio was missing and the engine was reset.
        lost: samples (16 kHz) that were missing.
        clipper: follows the scores, where clips are kept.
        telemetry: takes what was measured in each hop, while somebody watches.

    """

    def __init__(
        self,
        ring: RingBuffer,
        detector: Detector,
        on_detection: Callable[[Detection, float], None],
        on_end: Callable[[Exception | None], None],
    ) -> None:
        self._ring = ring
        self._detector = detector
        self._on_detection = on_detection
        self._on_end = on_end
        self._wanted = detector
        self._calm = Calm()
        self._clock = ring.clock
        self._samples = ring.heard
        self._busy_since: float | None = None
        self._begun = False
        self._ended = False
        self._rested = False
        self.telemetry: Telemeter | None = None
        self.gaps = 0
        self.lost = 0
        self.clipper: Clipper | None = None

    @property
    def backlog(self) -> int:
        """Samples that are captured and have not gone through the engine yet."""
        return self._ring.heard - self._samples

    @property
    def hops(self) -> int:
        """Hops of 80 ms that have gone through the engine."""
        return self._samples // HOP

    @property
    def heartbeat(self) -> float:
        """`time.monotonic()` of the last sign of life: now, or the start of the current work."""
        busy_since = self._busy_since
        return time.monotonic() if busy_since is None else busy_since

    def replace(self, detector: Detector) -> None:
        """Use another detector from the next hop on, without losing audio."""
        self._wanted = detector

    @property
    def thresholds(self) -> dict[str, float]:
        """The threshold of each word."""
        return self._wanted.thresholds

    def set_threshold(self, word: str, threshold: float) -> None:
        """Change the threshold of a word."""
        self._wanted.set_threshold(word, threshold)

    def rest(self) -> None:
        """Expect a pause: the audio that is missing next was not to be heard."""
        self._rested = True

    def hear(self, pcm: Samples) -> bool:
        """Hear what was just written to the ring, int16[n]; return whether the room is calm.

        No samples mean that the ring is closed.
        """
        if self._ended:
            return False
        if not len(pcm):
            self._end(None)
            return False
        self._busy_since = time.monotonic()
        start = self._ring.clock - len(pcm)
        try:
            if self.clipper is None and self.telemetry is None:
                self._hear_piece(start, pcm, None)
            else:  # who follows the scores wants each hop by itself
                for at in range(0, len(pcm), HOP):
                    self._hear_piece(start + at, pcm[at : at + HOP], [])
        except Exception as error:  # any failure: the daemon must not go on without its engine
            logger.exception("the engine failed")
            self._end(error)
            return False
        finally:
            self._busy_since = None
        return self._calm.lasts

    def _end(self, failure: Exception | None) -> None:
        self._ended = True
        self._on_end(failure)

    def _hear_piece(self, start: int, pcm: Samples, trace: list[Step] | None) -> None:
        if self._wanted is not self._detector:
            self._detector = self._wanted
            self._catch_up(self._clock)
        if start != self._clock:
            self._tell_gap(start - self._clock)
            self._begun = False
        if not self._begun:
            self._begun = True
            self._detector.reset(start + self._detector.lead(len(pcm)))
        detector = self._detector
        early = detector.clock - start
        detections = detector.push(pcm[early:] if early else pcm, trace)
        for detection in detections:
            self._on_detection(detection, self._ring.wall_time(detection.sample))
        for power in detector.powers:
            self._calm.hop(power, detector.nearness)
        self._samples += len(pcm)
        self._clock = start + len(pcm)
        if trace:
            clipper, telemetry = self.clipper, self.telemetry
            if clipper is not None:
                clipper.follow(trace, detections, detector.thresholds)
            if telemetry is not None:
                telemetry.take(self.hops, self._clock, pcm, trace[-1].scores)

    def _tell_gap(self, lost: int) -> None:
        if self._rested:
            self._rested = False
            return
        self.gaps += 1
        self.lost += lost
        logger.warning("%.2f s of audio were not processed", seconds(lost))

    def _catch_up(self, clock: int) -> None:
        """Run a new detector on the last seconds, whose words the old one has already reported."""
        start, pcm = self._ring.copy(clock - _WARM_UP, clock)
        lead = self._detector.lead(len(pcm))
        self._detector.reset(start + lead)
        self._detector.push(pcm[lead:])
