"""The live events of the page: those of the daemon's socket, as server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from wakeword_daemon.errors import EventsError
from wakeword_daemon.events.aioclient import watch_async
from wakeword_daemon.events.framing import encode
from wakeword_daemon.events.items import Away

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from wakeword_daemon.events.items import Watched

_ALIVE = 5.0
"""Seconds after which a comment is sent, so that a browser notices a dead connection."""

_AGAIN = 2.0
"""Seconds until the next try after the daemon refused us."""


async def live(socket: Path | None, ending: asyncio.Event) -> AsyncGenerator[bytes, None]:
    """Yield what the daemon says, from its last events on, until `ending` is set.

    Each viewer watches on its own connection to the daemon's socket, which drops telemetry for one
    that reads too slowly.
    """
    ends = asyncio.ensure_future(ending.wait())
    try:
        async with contextlib.aclosing(_watch(socket)) as items:
            step = asyncio.ensure_future(anext(items))
            try:
                while not ends.done():
                    done, _ = await asyncio.wait(
                        (step, ends), timeout=_ALIVE, return_when=asyncio.FIRST_COMPLETED
                    )
                    if step in done:
                        yield _line(step.result())
                        step = asyncio.ensure_future(anext(items))
                    elif not done:
                        yield b":\n\n"
            finally:
                step.cancel()
                await asyncio.wait([step])
    finally:
        ends.cancel()


async def _watch(socket: Path | None) -> AsyncGenerator[Watched, None]:
    """Yield what is watched; a daemon that refuses us is asked again."""
    while True:
        try:
            async with contextlib.aclosing(watch_async(socket, past=True)) as items:
                async for item in items:
                    yield item
        except EventsError as error:
            yield Away(str(error))
            await asyncio.sleep(_AGAIN)


def _line(item: Watched) -> bytes:
    line = encode("away", {"reason": item.reason}) if isinstance(item, Away) else item.line()
    return b"data: " + line + b"\n"
