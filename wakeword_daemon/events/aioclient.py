"""Listening to the daemon from an asyncio program; `client` has the plain form.

async for detection in subscribe_async():
    print(detection.name, detection.score)
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Generic, Literal, TypeVar, cast, overload

from wakeword_daemon.events.connection import READ_SIZE, connect, or_closed
from wakeword_daemon.events.items import Item, Samples, Sorter, Watched
from wakeword_daemon.events.protocol import Detection, Subscribe
from wakeword_daemon.events.subscription import (
    Connect,
    Receive,
    Send,
    Wait,
    follow,
    wish,
)

if TYPE_CHECKING:
    import socket as sockets
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence
    from pathlib import Path
    from typing import Self, Unpack

    from wakeword_daemon.events.items import Options
    from wakeword_daemon.events.subscription import Step, Steps

T = TypeVar("T")


@overload
def subscribe_async(
    socket: str | Path | None = None,
    *,
    audio: Literal["none", "after"] = "none",
    **options: Unpack[Options],
) -> AsyncEvents[Detection]: ...


@overload
def subscribe_async(
    socket: str | Path | None = None,
    *,
    audio: Literal["always"],
    **options: Unpack[Options],
) -> AsyncEvents[Detection | Samples]: ...


def subscribe_async(
    socket: str | Path | None = None,
    *,
    words: Sequence[str] | None = None,
    audio: Literal["none", "after", "always"] = "none",
    pre_roll: float = 0.0,
    seconds: float = 10.0,
    until_silence: float | None = None,
    reconnect: bool = True,
    token: str | None = None,
) -> AsyncEvents[Detection] | AsyncEvents[Detection | Samples]:
    """Return an asynchronous iterator over every detection from its first step on.

    It takes the same arguments, waits, logs and fails as `client.subscribe` does. For a time limit
    use `asyncio.timeout`; to hang up use `aclose` or `async with`.
    """
    request = wish(audio=audio, pre_roll=pre_roll, seconds=seconds, until_silence=until_silence)
    items = _carry_out(follow(socket, words, token, request, reconnect=reconnect))
    return AsyncEvents(items, audio)


async def watch_async(
    socket: str | Path | None = None,
    *,
    past: bool = False,
    reconnect: bool = True,
    token: str | None = None,
) -> AsyncGenerator[Watched, None]:
    """Yield what `client.watch` yields, and fail as it does; `aclose` ends it."""
    request = Subscribe(after_sequence=0 if past else None)
    steps = follow(socket, None, token, request, reconnect=reconnect, watch=True)
    async with contextlib.aclosing(_carry_out(steps)) as items:
        async for item in items:
            if isinstance(item, Watched):
                yield item


class AsyncEvents(Generic[T]):
    """The detections of a subscription, with or without all audio; see `subscribe_async`."""

    def __init__(
        self, items: AsyncGenerator[Item, None], audio: Literal["none", "after", "always"]
    ) -> None:
        self._items = items
        self._sorter = Sorter(audio)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        item: Item | None = self._sorter.waiting()
        while item is None or not self._sorter.hands_out(item):
            item = await anext(self._items)
        if isinstance(item, Detection):
            item = self._sorter.equip(item, self._audio(item.sequence))
        return cast("T", item)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Hang up."""
        await self._items.aclose()

    async def _audio(self, sequence: int) -> AsyncIterator[Samples]:
        while self._sorter.goes_on(sequence):
            if (samples := self._sorter.take(await anext(self._items))) is not None:
                yield samples


async def _carry_out(steps: Steps) -> AsyncGenerator[Item, None]:
    link = _Link()
    try:
        step = next(steps)
        while True:
            if isinstance(step, Item):
                yield step
                step = next(steps)
                continue
            try:
                came = await link.do(step)
            except OSError as error:
                step = steps.throw(error)
            else:
                step = steps.send(came)
    finally:
        link.close()


class _Link:
    """The connection of one subscription."""

    def __init__(self) -> None:
        self._connection: sockets.socket | None = None

    async def do(self, step: Step) -> bytes | None:
        """Take one step.

        Raises:
            OSError: it failed.

        """
        # Not asyncio's streams: they lose what was received before a write that fails.
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
            case Wait(seconds):
                await asyncio.sleep(seconds)
        return None

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
