"""What an action may request from the daemon."""

from __future__ import annotations

from typing import Protocol


class Remote(Protocol):
    """The daemon, as far as an action sees it; all of it on the event loop."""

    @property
    def words(self) -> list[str]:
        """Names of the wake words."""

    @property
    def state(self) -> str:
        """The state, as in the event `state`, or "starting"."""

    async def pause(self, minutes: float | None) -> object:
        """Close the microphone for some minutes, or until `resume` if None.

        Raises:
            WakewordError: it cannot be done.

        """

    async def resume(self) -> object:
        """Open the microphone again.

        Raises:
            WakewordError: it cannot be done.

        """
