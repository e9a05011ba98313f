"""Listening to the daemon from an asyncio program; `client` has the plain form.

async for detection in subscribe_async():
    print(detection.name, detection.score)
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from wakeword_daemon.events.connection import READ_SIZE, connect, or_closed
from wakeword_daemon.events.protocol import Detection
from wakeword_daemon.events.subscription import (
    Connect,
    Pause,
    Ready,
    Receive,
    Send,
    follow,
)

if TYPE_CHECKING:
    import socket as sockets
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    from wakeword_daemon.events.subscription import Step


async def subscribe_async(
    socket: str | Path | None = None,
    *,
    words: Sequence[str] | None = None,
    reconnect: bool = True,
    token: str | None = None,
) -> AsyncGenerator[Detection, None]:
    """Yield every detection from the first step of the iteration on.

    Waits for the daemon, logs and fails as `client.subscribe` does, and takes the same arguments;
    use `asyncio.timeout` for an end.
    """
    steps = follow(socket, words, token, reconnect=reconnect)
    line = _Line()
    try:
        step = next(steps)
        while True:
            if isinstance(step, Detection):
                yield step
                step = next(steps)
                continue
            try:
                came = await line.do(step)
            except OSError as error:
                step = steps.throw(error)
            else:
                step = steps.send(came)
    finally:
        line.close()


class _Line:
    """The connection of one subscription."""

    def __init__(self) -> None:
        self._connection: sockets.socket | None = None

    async def do(self, step: Step) -> bytes | None:
        """Take one step.

        Raises:
            OSError: it failed.

        """
        # By the loop's own calls: asyncio's streams lose what came before a failed write.
        loop = asyncio.get_running_loop()
        match step:
            case Connect(address):
                self.close()
                self._connection = await asyncio.to_thread(connect, address)
                self._connection.setblocking(False)
            case Send(line) if self._connection:
                await loop.sock_sendall(self._connection, line)
            case Receive(limit) if self._connection:
                async with asyncio.timeout(limit):
                    return or_closed(await loop.sock_recv(self._connection, READ_SIZE))
            case Pause(seconds):
                await asyncio.sleep(seconds)
            case Ready():
                pass
        return None

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
