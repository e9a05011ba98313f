"""What the page's server answers: the page, live events, and what its buttons ask for."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from wakeword_daemon.clips.clip import LABELS, Label
from wakeword_daemon.clips.folder import ClipError
from wakeword_daemon.errors import EventsError
from wakeword_daemon.events import client
from wakeword_daemon.page.guard import Guard
from wakeword_daemon.page.live import live

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from wakeword_daemon.clips.folder import ClipFolder
    from wakeword_daemon.events.protocol import Event

_ASSETS = Path(__file__).parent / "assets"
_API = "/api"
_LONGEST = 4096
"""Bytes of a request's body, at most."""

StructT = TypeVar("StructT", bound=msgspec.Struct)


class _Pause(msgspec.Struct, forbid_unknown_fields=True):
    minutes: float | None = None


class _Threshold(msgspec.Struct, forbid_unknown_fields=True):
    word: str
    threshold: Annotated[float, msgspec.Meta(gt=0, lt=1)]
    save: bool = False


class _Labelled(msgspec.Struct, forbid_unknown_fields=True):
    label: Label | None


def make_app(
    socket: Path | None, clips: ClipFolder, ending: asyncio.Event, *, token: str, name: str
) -> ASGIApp:
    """Return the page's server as an ASGI application.

    Args:
        socket: the daemon's unix socket; None for the daemon on this machine.
        clips: what the daemon keeps.
        ending: ends the live events when it is set.
        token: what a stranger must know: see `guard`.
        name: the host name that the page is served under.

    """
    page = _Page(socket, clips, ending)
    app = Starlette(
        routes=[
            *(Route(path, _asset(name)) for path, name in _FILES.items()),
            Route(f"{_API}/events", page.events),
            Route(f"{_API}/status", page.status),
            Route(f"{_API}/pause", page.pause, methods=["POST"]),
            Route(f"{_API}/resume", page.resume, methods=["POST"]),
            Route(f"{_API}/threshold", page.threshold, methods=["POST"]),
            Route(f"{_API}/clips", page.list_clips),
            Route(f"{_API}/clips/{{name}}", page.audio),
            Route(f"{_API}/clips/{{name}}", page.delete, methods=["DELETE"]),
            Route(f"{_API}/clips/{{name}}/label", page.label, methods=["POST"]),
        ],
        exception_handlers={
            HTTPException: _failed,
            EventsError: lambda _, error: _error(503, str(error)),
            ClipError: lambda _, error: _error(404, str(error)),
            OSError: lambda _, error: _error(500, str(error)),
        },
    )
    return Guard(app, token=token, name=name, private=_API)


_FILES = {
    "/": "index.html",
    "/page.css": "page.css",
    "/page.js": "page.js",
    "/plot.js": "plot.js",
    "/icon.svg": "icon.svg",
}


def _asset(name: str) -> Callable[[Request], FileResponse]:
    return lambda _: FileResponse(_ASSETS / name)


class _Page:
    """The answers to what the page asks for."""

    def __init__(self, socket: Path | None, clips: ClipFolder, ending: asyncio.Event) -> None:
        self._socket = socket
        self._clips = clips
        self._ending = ending

    async def events(self, _: Request) -> Response:
        return StreamingResponse(live(self._socket, self._ending), media_type="text/event-stream")

    def status(self, _: Request) -> Response:
        return _answer(client.read_status(self._socket))

    async def pause(self, request: Request) -> Response:
        wanted = await _body(request, _Pause)
        return _answer(await asyncio.to_thread(client.pause, wanted.minutes, socket=self._socket))

    def resume(self, _: Request) -> Response:
        return _answer(client.resume(socket=self._socket))

    async def threshold(self, request: Request) -> Response:
        wanted = await _body(request, _Threshold)
        done = await asyncio.to_thread(
            client.set_threshold,
            wanted.word,
            wanted.threshold,
            save=wanted.save,
            socket=self._socket,
        )
        return _answer(done)

    def list_clips(self, _: Request) -> Response:
        """Answer with all clips, the newest first."""
        clips = [
            {"name": name, "labels": LABELS[clip.kind]} | msgspec.to_builtins(clip)
            for name, clip in self._clips.clips()
        ]
        return JSONResponse({"folder": str(self._clips.path), "clips": clips[::-1]})

    def audio(self, request: Request) -> Response:
        name = request.path_params["name"]
        self._clips.read(name)  # so that it names a clip
        path = self._clips.audio(name)
        if not path.is_file():
            raise ClipError(f"the clip {name} has been deleted")
        return FileResponse(path, media_type="audio/flac")

    async def label(self, request: Request) -> Response:
        wanted = await _body(request, _Labelled)
        name = request.path_params["name"]
        clip = await asyncio.to_thread(self._clips.label, name, wanted.label)
        return JSONResponse({"label": clip.label})

    def delete(self, request: Request) -> Response:
        name = request.path_params["name"]
        self._clips.read(name)
        self._clips.delete(name)
        return JSONResponse({})


async def _body(request: Request, kind: type[StructT]) -> StructT:
    """Read what a request asks for.

    Raises:
        HTTPException: it is too long, or not what it must be.

    """
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST:
            raise HTTPException(413, "the request is too long")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise HTTPException(400, f"the request is invalid: {error}") from None


def _answer(event: Event) -> Response:
    return Response(msgspec.json.encode(event), media_type="application/json")


def _error(status: int, text: str) -> Response:
    return JSONResponse({"error": text}, status)


def _failed(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for these
    return _error(error.status_code, error.detail)
