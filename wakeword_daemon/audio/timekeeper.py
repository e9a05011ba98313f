"""Compares the sample clock with the computer's, to find out how much audio was silently lost."""

from __future__ import annotations

import time
from functools import partial

from wakeword_daemon.clock import HOP, samples, seconds

_DRIFT = 1.0
"""Seconds that one block may be off before audio counts as lost."""

_LOSS = 0.25
"""Seconds of lasting delay that are more than jitter; servers deliver every 160 ms."""

_PATIENCE = 12 * seconds(HOP)
"""Seconds for which audio must be late to count as lost, and not as held back."""

_SLEW = 1e-3
"""Seconds a second by which the clocks may drift apart although no audio is lost.

Crystals differ by up to 1e-4, which is 9 s a day.
"""


now = partial(time.clock_gettime, time.CLOCK_BOOTTIME)
"""Returns the time in seconds by a clock that is never set and also runs during suspend."""


class DriftError(Exception):
    """The clocks are too far apart: audio was dropped, or is held back and comes too late."""


class Timekeeper:
    """Follows the time at which the newest sample was captured, block by block.

    A block may come late for many reasons but never early, so the earliest blocks show the time.

    Attributes:
        until: when the newest sample was captured, by `now`, without the jitter of delivery.

    """

    def __init__(self) -> None:
        self.until = 0.0
        self._begun = False
        self._broken = False
        self._least_late = 0.0
        self._late_for = 0.0

    def block(
        self, captured: float, duration: float = seconds(HOP), *, dropped: bool = False
    ) -> int:
        """Account for a block; return how many samples are missing before it.

        Args:
            captured: when its last sample was captured, in seconds by `now`, as far as is known.
            duration: seconds of the block.
            dropped: whether audio before it is known to be gone.

        Raises:
            DriftError: the clocks are more than 1 s apart for no known reason; the block is not
                taken into account.

        """
        late = captured - (self.until + duration)
        if self._broken or dropped or not self._begun:
            # At least one, so that readers notice that the audio was interrupted.
            missing = max(samples(late), 1) if self._begun else 0
            self._begun, self._broken = True, False
            return self._jump(captured, missing)
        if abs(late) > _DRIFT:
            raise DriftError(f"the audio is {late:+.1f} s off the computer's clock")
        if late < _LOSS:
            self._late_for = 0.0
        else:
            self._least_late = min(late, self._least_late) if self._late_for else late
            self._late_for += duration
            if self._late_for > _PATIENCE - seconds(HOP) / 2:
                lost = self._least_late
                return self._jump(self.until + duration + lost, samples(lost))
        self.until += duration + min(late, _SLEW * duration)
        return 0

    def broken(self, unread: int = 0) -> None:
        """Note that the stream ended; the next block is the first of another one.

        Args:
            unread: samples that were taken into account but never delivered.

        """
        self.until -= seconds(unread)
        self._broken = self._begun

    def _jump(self, until: float, missing: int) -> int:
        self.until = until
        self._late_for = 0.0
        return missing
