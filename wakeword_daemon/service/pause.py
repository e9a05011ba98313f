"""Pauses: the microphone stays closed for a while, on request."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from wakeword_daemon.audio.timekeeper import now

if TYPE_CHECKING:
    from collections.abc import Callable

    from wakeword_daemon.audio.sources import AudioSource
    from wakeword_daemon.service.hearing import Hearing
    from wakeword_daemon.service.pausefile import PauseFile

_MINUTE = 60.0

_SET = 1.0
"""Seconds by which the wall clock may differ from what was expected before it counts as set."""

_PATIENCE = 4.0
"""Seconds in which a source closes or opens its input, unless the sound library hangs."""


class MicrophonePause:
    """Closes the microphone for some time, or until it is asked to open it.

    All methods belong to the event loop's thread.

    Args:
        source: what is paused.
        engine: is informed that the missing audio is not a loss.
        file: where it is kept for a daemon that comes after this one.
        on_change: called when the end of a pause has changed.

    Attributes:
        active: whether there is a pause.
        until: its end in Unix seconds; None without a pause, or where it has no end. If the wall
            clock is set, this is the same moment by the new time.

    """

    def __init__(
        self,
        source: AudioSource,
        engine: Hearing,
        file: PauseFile,
        on_change: Callable[[], None],
    ) -> None:
        self._source = source
        self._engine = engine
        self._file = file
        self._on_change = on_change
        self._news = asyncio.Event()
        self.active = False
        self.until: float | None = None
        # The same on a clock that is never set and also runs while the machine sleeps.
        self._end: float | None = None

    @property
    def reason(self) -> str:
        """Until when it is paused, in words."""
        if self.until is None:
            return "until `wakeword resume`"
        return f"until {time.strftime('%H:%M', time.localtime(self.until))}"

    def restore(self) -> None:
        """Continue the previous daemon's pause; call this before the source is started."""
        kept = self._file.read()
        if kept is None:
            return
        self.until = kept.until
        self._end = None if kept.until is None else now() + kept.until - time.time()
        if self._end is not None and now() >= self._end:
            self._open()
        else:
            self.active = True
            self._engine.rest()
            self._source.pause()

    async def begin(self, minutes: float | None) -> None:
        """Close the microphone, for some minutes or until `end`; return when it is closed.

        In a pause, only its end is changed.
        """
        self._end = None if minutes is None else now() + minutes * _MINUTE
        self.until = None if self._end is None else _wall_time(self._end)
        self._file.write(self.until)
        if self.active:
            self._on_change()
            return
        self.active = True
        self._engine.rest()
        self._source.pause()
        await self._wait(paused=True)

    async def end(self) -> None:
        """Open the microphone; return when it is clear whether anything is heard."""
        if self.active:
            self._open()
            await self._wait(paused=False)

    def check(self) -> None:
        """End the pause if its time is over; to be called once a second."""
        if self._end is None or self.until is None:
            return
        until = _wall_time(self._end)
        if now() >= self._end:
            self._open()
        elif abs(until - self.until) > _SET:
            self.until = until
            self._file.write(until)
            self._on_change()

    def note(self) -> None:
        """Note that the source has another state."""
        self._news.set()
        self._news = asyncio.Event()

    def _open(self) -> None:
        self.active, self.until, self._end = False, None, None
        self._file.delete()
        self._source.resume()

    async def _wait(self, *, paused: bool) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                while not self._settled(paused=paused):
                    await self._news.wait()

    def _settled(self, *, paused: bool) -> bool:
        state = self._source.state.name
        return state == "paused" if paused else state not in ("paused", "starting")


def _wall_time(moment: float) -> float:
    """Return the Unix time, in seconds, of a moment by `now`."""
    return round(time.time() + moment - now(), 3)
