"""Who may use the page: checks every request before anything else sees it.

- `Host` must be an address or a name of this machine, so that no web site can be rebound to us.
- What is not a GET must come from our own page, by its `Origin`.
- Everything but the page itself, which holds no secret, is for those who know the token, and for
  programs of this user on this machine, as with the event socket.
"""

from __future__ import annotations

import hmac
import secrets
from email.utils import formatdate
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse

from wakeword_daemon.page import hosts, peers
from wakeword_daemon.storage import read_secret, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS = {
    # The page loads nothing from elsewhere, runs no inline script, and is shown in no frame.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

_FORWARDED = ("forwarded", "x-forwarded-for", "via")
"""What a proxy adds to a request; who is behind it, its own user does not tell."""


class Guard:
    """ASGI middleware that refuses requests, and adds the headers that keep the page to itself.

    Args:
        app: what answers the requests that are let through.
        token: what a stranger must know.
        name: the host name that the page is served under, beside this machine's own.
        private: the beginning of the paths that are not for everyone.

    """

    def __init__(self, app: ASGIApp, *, token: str, name: str, private: str) -> None:
        self._app = app
        self._token = token.encode()
        self._names = hosts.own_names() | {name.lower()}
        self._private = private

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let the app do it."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for header, value in _HEADERS.items():
                    headers[header] = value
                headers["Date"] = formatdate(usegmt=True)
            await send(message)

        if scope["type"] != "http":
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send_guarded)
        else:
            status, text = refusal
            await JSONResponse({"error": text}, status)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Return why a request is refused, with the HTTP status; None if it is not."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not hosts.is_own(host, self._names):
            return 421, "this is not an address or a name of this machine"
        if scope["method"] not in ("GET", "HEAD") and headers.get("origin") != f"http://{host}":
            return 403, "this may only be asked by the page itself"
        if scope["path"].startswith(self._private) and not self._knows(scope, headers):
            return 401, "this needs the token that `wakeword page` prints"
        return None

    def _knows(self, scope: Scope, headers: Headers) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(token.encode(), self._token):
            return True
        forwarded = any(name in headers for name in _FORWARDED)
        return not forwarded and scope["client"] is not None and peers.is_own(*scope["client"][:2])


def read_token(path: Path) -> str:
    """Return the token that is kept in a file, which only its owner may read; made if missing.

    Raises:
        OSError: the file cannot be read or made, or others could read it.

    """
    try:
        token = read_secret(path)
    except FileNotFoundError:
        token = ""
    if not token:
        token = secrets.token_urlsafe(16)
        write_atomically(path, f"{token}\n".encode(), 0o600)
    return token
