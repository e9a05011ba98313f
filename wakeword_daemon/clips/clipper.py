"""Chooses what is worth a clip: every detection, and every near miss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wakeword_daemon.clips.keeper import ClipKeeper, Moment
from wakeword_daemon.clips.nearmiss import NearMisses

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wakeword_daemon.audio.ring import RingBuffer
    from wakeword_daemon.clips.folder import ClipFolder, ClipLimits
    from wakeword_daemon.engine import Detection, Step


class Clipper:
    """Follows what the engine hears.

    Args:
        ring: where the audio is.
        folder: where the clips go.
        limits: what they may take.
        near: share of a threshold, 0 to 1, from which a score is a near miss; 1 for none.
        models: the id of each word's model.

    """

    def __init__(
        self,
        ring: RingBuffer,
        folder: ClipFolder,
        limits: ClipLimits,
        *,
        near: float,
        models: Mapping[str, str],
    ) -> None:
        self._keeper = ClipKeeper(ring, folder, limits)
        self._near = NearMisses(near) if near < 1 else None
        self._models = models

    @property
    def failure(self) -> str:
        """Why the latest clip could not be kept, in a sentence; "" if it was."""
        return self._keeper.failure

    def heard(self, detection: Detection, threshold: float) -> None:
        """Keep a detection; never waits."""
        self._keeper.keep(
            Moment(
                word=detection.word,
                kind="detection",
                score=detection.score,
                threshold=threshold,
                model=detection.model,
                sample=detection.sample,
            )
        )

    def follow(
        self,
        steps: Sequence[Step],
        detections: Sequence[Detection],
        thresholds: Mapping[str, float],
    ) -> None:
        """Look for near misses, on the engine's thread; see `NearMisses.take`."""
        if self._near is None:
            return
        for miss in self._near.take(steps, detections, thresholds):
            self._keeper.keep(
                Moment(
                    word=miss.word,
                    kind="near-miss",
                    score=miss.score,
                    threshold=miss.threshold,
                    model=self._models.get(miss.word, ""),
                    sample=miss.sample,
                )
            )

    def stop(self, timeout: float) -> None:
        """Stop writing, and wait at most `timeout` seconds for the clip being written."""
        self._keeper.stop()
        self._keeper.join(timeout)
