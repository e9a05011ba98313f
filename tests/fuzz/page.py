"""The page's server, behind the parser of HTTP: what a request may ask for."""

import asyncio
from pathlib import Path

import numpy as np
from fuzz import scratch

from wakeword_daemon.clips.clip import Clip
from wakeword_daemon.clips.folder import ClipFolder
from wakeword_daemon.page.app import make_app

_folder = scratch.folder()
_root = Path(_folder.name)
_secret = _root / "secret"
_secret.write_text("not for the page")
_clips = ClipFolder(_root / "clips")
_clip = Clip(
    word="jarvis", kind="detection", score=0.7, threshold=0.5, model="", wall_time=1.7e9, at=0.5,
    seconds=1.0,
)  # fmt: skip
_loop = asyncio.new_event_loop()
_TOKEN = "not told"  # noqa: S105
STATUSES = {200, 206, 304, 307, 400, 401, 403, 404, 405, 413, 416, 421, 503}


async def _ask(scope, body, *, knows):
    ending = asyncio.Event()
    ending.set()
    app = make_app(_root / "no-daemon", _clips, ending, token=_TOKEN, name="localhost")
    parts = [body[:9], body[9:]]
    sent = []

    async def receive():
        if not parts:
            return {"type": "http.disconnect"}
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    status = sent[0]["status"]
    assert status in STATUSES, status
    if scope["path"].startswith("/api") and not knows:
        assert status in {401, 403, 421}, status
    assert all(b"not for" not in part.get("body", b"") for part in sent)


def one_input(data):
    """Take a first byte as what the peer knows, then lines: method, path, headers; then a body."""
    if not _clips.clips():
        _clips.add(_clip, np.zeros(16_000, np.int16))
    choice, data = data[0] if data else 0, data[1:]
    head, _, body = data.partition(b"\n\n")
    method, path, *lines = [*head.split(b"\n"), b"", b""][: max(2, head.count(b"\n") + 1)]
    headers = [
        tuple(part.strip() for part in line.split(b":", 1)) for line in lines if b":" in line
    ]
    headers = [(name.lower(), value) for name, value in headers]
    if choice & 1:
        headers.append((b"host", b"localhost"))
    if choice & 2:
        headers.append((b"authorization", b"Bearer " + _TOKEN.encode()))
    if choice & 4:
        headers.append((b"origin", b"http://localhost"))
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http",
        "method": method.decode("latin-1").upper() or "GET", "path": path.decode("latin-1") or "/",
        "raw_path": path, "query_string": b"", "root_path": "", "headers": headers,
        "client": None, "server": ("127.0.0.1", 1),
    }  # fmt: skip
    knows = any(
        name == b"authorization" and value.endswith(_TOKEN.encode()) for name, value in headers
    )
    _loop.run_until_complete(_ask(scope, body, knows=knows))
    assert _secret.read_text() == "not for the page"
