"""Listening to the daemon from an asyncio program; the twin of `client`.

async for detection in subscribe_async():
    print(detection.name, detection.score)
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from wakeword_daemon.events.paths import parse_address
from wakeword_daemon.events.subscription import (
    ANSWER_TIMEOUT,
    READ_SIZE,
    Subscription,
    UnreachableError,
    retry_delays,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from wakeword_daemon.events.protocol import Detection

_log = logging.getLogger(__name__)


async def subscribe_async(
    socket: str | Path | None = None,
    *,
    words: Sequence[str] | None = None,
    reconnect: bool = True,
    token: str | None = None,
) -> AsyncGenerator[Detection, None]:
    """Yield every detection from the first step of the iteration on.

    As `client.subscribe`, whose arguments and errors it shares; use `asyncio.timeout` for an end.
    """
    address = parse_address(socket)
    subscription = Subscription(words, token)
    reader, writer = await _open(address, subscription)
    try:
        while True:
            while subscription.arrived:
                yield subscription.arrived.popleft()
            try:
                subscription.receive(await _receive(reader))
            except OSError as error:
                if not reconnect:
                    raise UnreachableError.because(address, error) from error
                writer.close()
                _log.info("the daemon went away; waiting for it to come back")
                reader, writer = await _reopen(address, subscription)
    finally:
        writer.close()


async def _reopen(
    address: Path | tuple[str, int], subscription: Subscription
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    delays = retry_delays()
    while True:
        await asyncio.sleep(next(delays))
        try:
            return await _open(address, subscription)
        except UnreachableError:
            continue


async def _open(
    address: Path | tuple[str, int], subscription: Subscription
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT):
            if isinstance(address, Path):
                reader, writer = await asyncio.open_unix_connection(address, limit=READ_SIZE)
            else:
                reader, writer = await asyncio.open_connection(*address, limit=READ_SIZE)
            try:
                writer.write(subscription.hello())
                while not subscription.ready:
                    subscription.receive(await _receive(reader))
            except BaseException:
                writer.close()
                raise
    except OSError as error:
        raise UnreachableError.because(address, error) from error
    return reader, writer


async def _receive(reader: asyncio.StreamReader) -> bytes:
    received = await reader.read(READ_SIZE)
    if not received:
        raise ConnectionResetError("it closed the connection")
    return received
