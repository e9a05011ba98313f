"""The action `on_detection.command`: runs a program of the user at each detection."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING

import msgspec

from wakeword_daemon.actions import program

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakeword_daemon.events.protocol import Detection, StateChanged

logger = logging.getLogger(__name__)


class Command:
    """Runs a program, one at a time and not too often.

    The program finds the detection in its environment, as `program.variables` names the fields,
    and on its standard input as one line of JSON.

    Args:
        arguments: the program and its arguments; no shell reads them.
        time_limit: seconds after which it is ended.
        interval: seconds that pass at least between two starts.

    """

    def __init__(self, arguments: Sequence[str], time_limit: float, interval: float) -> None:
        self._arguments = [os.path.expanduser(arguments[0]), *arguments[1:]]  # noqa: PTH111
        self._time_limit = time_limit
        self._interval = interval
        self._ready_at = 0.0
        self._task: asyncio.Task[None] | None = None

    def heard(self, detection: Detection) -> None:
        """Start the program, unless it still runs or was started a moment ago."""
        now = asyncio.get_running_loop().time()
        if self._task is not None and not self._task.done():
            logger.info("%s still runs, so it is not started again", self._arguments[0])
        elif now < self._ready_at:
            logger.info("%s was started a moment ago, so it is not started", self._arguments[0])
        else:
            self._ready_at = now + self._interval
            self._task = asyncio.create_task(self._run(detection))

    def changed(self, _: StateChanged) -> None:
        """Do nothing."""

    async def stop(self) -> None:
        """End the program if it runs."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self, detection: Detection) -> None:
        await program.run(
            self._arguments,
            time_limit=self._time_limit,
            environment=program.variables(detection),
            text=msgspec.json.encode(detection) + b"\n",
        )
