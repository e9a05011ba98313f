"""Listening to the daemon from an asyncio program; the twin of `client`.

async for detection in subscribe_async():
    print(detection.name, detection.score)
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from wakeword_daemon.events.client import connect
from wakeword_daemon.events.paths import parse_address
from wakeword_daemon.events.subscription import (
    ANSWER_TIMEOUT,
    READ_SIZE,
    Subscription,
    UnreachableError,
    retry_delays,
)

if TYPE_CHECKING:
    import socket as sockets
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    from wakeword_daemon.events.protocol import Detection

logger = logging.getLogger(__name__)


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
    connection = await _open(address, subscription)
    try:
        while True:
            while subscription.arrived:
                yield subscription.arrived.popleft()
            try:
                subscription.receive(await _receive(connection))
            except OSError as error:
                if not reconnect:
                    raise UnreachableError.because(address, error) from error
                connection.close()
                logger.info("the daemon went away; waiting for it to come back")
                connection = await _reopen(address, subscription)
    finally:
        connection.close()


async def _reopen(address: Path | tuple[str, int], subscription: Subscription) -> sockets.socket:
    delays = retry_delays()
    while True:
        await asyncio.sleep(next(delays))
        try:
            return await _open(address, subscription)
        except UnreachableError:
            continue


async def _open(address: Path | tuple[str, int], subscription: Subscription) -> sockets.socket:
    loop = asyncio.get_running_loop()
    try:
        connection = await asyncio.to_thread(connect, address)
        connection.setblocking(False)
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                # Not by asyncio's streams: they lose what came before a failed write.
                with contextlib.suppress(ConnectionError):
                    await loop.sock_sendall(connection, subscription.hello())
                while not subscription.ready:
                    subscription.receive(await _receive(connection))
        except BaseException:
            connection.close()
            raise
    except OSError as error:
        raise UnreachableError.because(address, error) from error
    return connection


async def _receive(connection: sockets.socket) -> bytes:
    received = await asyncio.get_running_loop().sock_recv(connection, READ_SIZE)
    if not received:
        raise ConnectionResetError("it closed the connection")
    return received
