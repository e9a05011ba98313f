"""Requests that change what the daemon does, and who may make them.

Everyone who may use the unix socket may send them: the daemon's own user, root, and the members of
`socket.group`, who can already hear the microphone. Over TCP they are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from wakeword_daemon.errors import WakewordError
from wakeword_daemon.events.framing import ProtocolError
from wakeword_daemon.events.protocol import (
    Pause,
    Paused,
    Resume,
    Resumed,
    SetThreshold,
    ThresholdSet,
)

if TYPE_CHECKING:
    from wakeword_daemon.events.framing import Frame
    from wakeword_daemon.events.protocol import Event

REQUESTS = frozenset({Pause.kind, Resume.kind, SetThreshold.kind})


class Control(Protocol):
    """What a daemon can be asked to do; every method raises a WakewordError if it fails."""

    async def pause(self, minutes: float | None) -> Paused:
        """Close the microphone, for some minutes or until `resume`; return when it is closed."""

    async def resume(self) -> Resumed:
        """Open the microphone; return when it is clear whether anything is heard."""

    async def set_threshold(self, name: str, threshold: float, *, save: bool) -> ThresholdSet:
        """Change the threshold of a word, permanently if it is saved."""


async def carry_out(control: Control | None, frame: Frame, *, allowed: bool) -> Event:
    """Do what a frame of one of `REQUESTS` asks for; return the answer.

    Raises:
        ProtocolError: the request is not allowed, is invalid or failed.

    """
    if not allowed:
        raise ProtocolError("not-allowed", f"{frame.type} is accepted only over the unix socket")
    if control is None:
        raise ProtocolError("failed", "nothing can be changed here")
    try:
        match frame.type:
            case Pause.kind:
                return await control.pause(Pause.from_frame(frame).minutes)
            case Resume.kind:
                return await control.resume()
            case _:
                wanted = SetThreshold.from_frame(frame)
                return await control.set_threshold(wanted.name, wanted.threshold, save=wanted.save)
    except WakewordError as error:
        raise ProtocolError("failed", str(error)) from error
