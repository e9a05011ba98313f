"""What an action may ask of the daemon."""

from __future__ import annotations

from typing import Protocol


class Remote(Protocol):
    """The daemon, as far as an action sees it; all of it on the event loop."""

    @property
    def words(self) -> list[str]:
        """Names of the wake words."""

    @property
    def state(self) -> str:
        """The state as in the event `state`, or "starting"."""
