"""Serves the page until a signal ends it."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import TYPE_CHECKING

import uvicorn

from wakeword_daemon.errors import cannot_listen
from wakeword_daemon.page.app import make_app

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

    from wakeword_daemon.clips.folder import ClipFolder

_BACKLOG = 64
_CONNECTIONS = 64
"""As many as the daemon's socket takes."""
_GRACE = 2
"""Seconds in which requests may end after a signal."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Args:
        host: an address or a name of this machine.
        port: the port; 0 for any.

    Raises:
        EventsError: the address is unknown, or the port is taken.

    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        raise cannot_listen("serve the page", host, port, error, "--port") from error


def urls(listening: socket.socket, host: str, token: str) -> list[str]:
    """Return where a browser finds the page; with the token where it is needed."""
    address, port = listening.getsockname()[:2]
    own = ipaddress.ip_address(address)
    if own.is_loopback:
        return [f"http://{_written(host)}:{port}/"]
    places = [_lan_address(), socket.gethostname()] if own.is_unspecified else [host]
    return [f"http://{_written(place)}:{port}/#{token}" for place in places if place]


def serve(
    listening: socket.socket, daemon: Path | None, clips: ClipFolder, *, token: str, name: str
) -> None:
    """Serve the page until SIGTERM or SIGINT; arguments as for `app.make_app`."""
    asyncio.run(_serve(listening, daemon, clips, token=token, name=name))


async def _serve(
    listening: socket.socket, daemon: Path | None, clips: ClipFolder, *, token: str, name: str
) -> None:
    ending = asyncio.Event()
    config = uvicorn.Config(
        make_app(daemon, clips, ending, token=token, name=name),
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,  # `guard` adds it
        proxy_headers=False,  # no header may change where a request comes from
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE,
    )
    await _Server(config, ending).serve([listening])


class _Server(uvicorn.Server):
    """Sleeps while nobody asks, and ends the live events too, which would go on for ever."""

    def __init__(self, config: uvicorn.Config, ending: asyncio.Event) -> None:
        super().__init__(config)
        self._ending = ending
        self._loop = asyncio.get_running_loop()

    async def main_loop(self) -> None:
        """Wait for a signal, where uvicorn's own loop looks for one ten times a second."""
        await self._ending.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        super().handle_exit(sig, frame)


def _lan_address() -> str | None:
    """Return the address by which the network reaches this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # RFC 5737: nobody's address, and nothing is sent
        except OSError:
            return None
        return str(probe.getsockname()[0])


def _written(host: str) -> str:
    return f"[{host}]" if ":" in host else host
