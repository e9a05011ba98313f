"""Decides what exact zeros mean: a microphone that is muted or gone, or just a pause of the source.

No microphone in a room gives exact zeros. A muted one does, and so does a sound server whose source
is gone; then opening the device again shows whether it is still there. But a null sink gives zeros
between two sounds, and a noise gate between two words. If zeros keep ending by themselves, they are
reported later and later, and meanwhile the device is not opened again.
"""

from __future__ import annotations

_PATIENCE = (1.0, 32.0)
"""Seconds of zeros after which they are reported: at first, and at most."""

_AGAIN = (2.0, 3.0)
"""Multiples of the patience after which to open again.

The second is for when opening again seemed to help the last time. Otherwise pauses that always last
as long as the first would always seem to end by it.
"""

_MOST = 64.0
"""Most seconds of zeros from one opening to the next."""

_HELPED = 0.25
"""Seconds after an opening within which sound counts as its result."""

_CALM = 300.0
"""Seconds of sound without a pause after which the source counts as one without zeros."""


class ZeroWatch:
    """Follows the blocks of one source, however often it is opened."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start again, because the reason for the zeros was found, or the source is another one."""
        self._zeros = 0.0
        self._sound = 0.0
        self._helped = False
        self._opened = False  # again, since these zeros began
        self._patience = _PATIENCE[0]
        self._wait = _AGAIN[0] * _PATIENCE[0]

    @property
    def suspicious(self) -> bool:
        """Whether zeros have lasted so long that something must be wrong."""
        return self._zeros > self._patience

    def push(self, *, sound: bool, duration: float, lived: float) -> bool:
        """Take a block; return whether to open the device again.

        Args:
            sound: whether a sample of it is not zero.
            duration: seconds of the block.
            lived: seconds since the device was opened.

        """
        if sound:
            if self.suspicious:
                self._sound_is_back(lived)
            self._zeros = 0.0
            self._sound += duration
            if self._sound > _CALM:
                self.forget()
            return False
        self._zeros += duration
        if self._zeros > _PATIENCE[0]:
            self._sound = 0.0
        if min(self._zeros, lived) < self._wait:
            return False
        self._wait = min(2 * self._wait, _MOST)
        self._opened = True
        return True

    def _sound_is_back(self, lived: float) -> None:
        self._helped = self._opened and lived < _HELPED
        if not self._helped:
            self._patience = min(2 * self._patience, _PATIENCE[1])
        self._wait = _AGAIN[self._helped] * self._patience
        self._opened = False
