"""The daemon on the session bus: a signal for each detection, its state, and how to pause it.

Needs the extra `dbus`. While there is no bus, or another program has the name, it tries again.
"""

import asyncio
import logging
import os
from typing import Annotated, Literal

from dbus_fast import PropertyAccess, RequestNameReply
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import DBusDouble, DBusSignature, DBusStr
from dbus_fast.errors import DBusError
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property, dbus_signal

from wakeword_daemon import xdg
from wakeword_daemon.actions.remote import Remote
from wakeword_daemon.actions.warnings import RepeatedWarning
from wakeword_daemon.errors import WakewordError
from wakeword_daemon.events.protocol import LONGEST_PAUSE, Detection, StateChanged

# No `from __future__ import annotations`: the D-Bus signatures are read from the annotations.

logger = logging.getLogger(__name__)

NAME = "org.wakeword.Daemon1"
PATH = "/org/wakeword/Daemon1"

_FIRST_DELAY, _LONGEST_DELAY = 1.0, 60.0
"""Seconds between two attempts to get onto the bus."""


class Daemon1(ServiceInterface):
    """The interface org.wakeword.Daemon1; its members are named as D-Bus names them."""

    def __init__(self, remote: Remote) -> None:
        super().__init__(NAME)
        self._remote = remote

    @dbus_property(access=PropertyAccess.READ)
    def State(self) -> DBusStr:  # noqa: N802
        """Return listening, degraded, deaf, paused, or starting before the first audio."""
        return self._remote.state

    @dbus_property(access=PropertyAccess.READ)
    def Words(self) -> Annotated[list[str], DBusSignature("as")]:  # noqa: N802
        """Return the wake words."""
        return self._remote.words

    @dbus_signal()
    def Detected(  # noqa: N802
        self, name: str, score: float, wall_time: float
    ) -> Annotated[list[str | float], DBusSignature("sdd")]:
        """Report a word, its score from 0 to 1, and the Unix time of its end in seconds."""
        return [name, score, wall_time]

    @dbus_method()
    async def Pause(self, minutes: DBusDouble) -> None:  # noqa: N802
        """Close the microphone for some minutes, or until Resume if they are 0."""
        if not 0 <= minutes <= LONGEST_PAUSE:
            raise DBusError(
                "org.freedesktop.DBus.Error.InvalidArgs",
                f"a pause takes up to {LONGEST_PAUSE} minutes, or 0 for until Resume",
            )
        await self._ask("pause", minutes or None)

    @dbus_method()
    async def Resume(self) -> None:  # noqa: N802
        """Open the microphone again."""
        await self._ask("resume")

    async def _ask(self, request: Literal["pause", "resume"], *arguments: float | None) -> None:
        try:
            await getattr(self._remote, request)(*arguments)
        except WakewordError as error:
            raise DBusError(f"{NAME}.Error.Failed", str(error)) from error


class SessionBus:
    """Keeps the daemon on the session bus."""

    def __init__(self, remote: Remote) -> None:
        self._interface = Daemon1(remote)
        self._on_the_bus = False
        self._trouble = RepeatedWarning(logger)
        self._task = asyncio.create_task(self._stay())

    def heard(self, detection: Detection) -> None:
        """Send the signal, if the bus is there."""
        if self._on_the_bus:
            self._interface.Detected(detection.name, detection.score, detection.wall_time)

    def changed(self, state: StateChanged) -> None:
        """Report the new state."""
        if self._on_the_bus:
            self._interface.emit_properties_changed({"State": state.state})

    async def stop(self) -> None:
        """Leave the bus."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _stay(self) -> None:
        delay = _FIRST_DELAY
        while True:
            try:
                async with asyncio.timeout(_LONGEST_DELAY):
                    bus = await self._connect()
            except (OSError, EOFError, DBusError, ValueError) as error:
                self._trouble.warn(f"no session bus at {_address()}: {error}")
            except TimeoutError:
                self._trouble.warn(f"the session bus at {_address()} does not answer")
            else:
                if bus is not None:
                    delay = _FIRST_DELAY
                    await self._serve(bus)
            await asyncio.sleep(delay)
            delay = min(2 * delay, _LONGEST_DELAY)

    async def _connect(self) -> MessageBus | None:
        """Return the connection, or None where another daemon has the name."""
        bus = MessageBus(bus_address=_address())
        try:
            await bus.connect()
            bus.export(PATH, self._interface)
            got = await bus.request_name(NAME)
        except BaseException:
            bus.disconnect()
            raise
        if got is RequestNameReply.PRIMARY_OWNER:
            return bus
        bus.disconnect()
        self._trouble.warn(f"another daemon is {NAME} on the session bus")
        return None

    async def _serve(self, bus: MessageBus) -> None:
        logger.info("on the session bus as %s", NAME)
        self._trouble.clear()
        self._on_the_bus = True
        try:
            await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
        except (OSError, EOFError):
            pass
        finally:
            self._on_the_bus = False
            bus.unexport(PATH, self._interface)
            bus.disconnect()
        self._trouble.warn("the session bus is gone")


def _address() -> str:
    address = os.environ.get("DBUS_SESSION_BUS_ADDRESS")
    return address or f"unix:path={xdg.runtime_folder() or '/run'}/bus"
