"""Secrets are compared in constant time, at each door that asks for one."""

import ast
import asyncio
import hmac
import re
from pathlib import Path

import pytest
from support.eventserver import Peer, RunningServer

import wakeword_daemon
from wakeword_daemon.events.sockets import Tcp
from wakeword_daemon.page.guard import Guard

PACKAGE = Path(wakeword_daemon.__file__).parent
SECRET = re.compile("token(?!s)|secret|password")
TOKEN = "sesame"  # noqa: S105


@pytest.fixture
def compared(monkeypatch):
    """What is compared in constant time."""
    pairs = []
    real = hmac.compare_digest

    def recorded(one, other):
        pairs.append({one, other})
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", recorded)
    return pairs


@pytest.mark.parametrize(("given", "answer"), [("sesamE", "error"), (TOKEN, "pong")])
def test_the_token_of_the_event_socket(compared, given, answer):
    with RunningServer(tcp=Tcp(port=0, token=TOKEN)) as server:
        host, _, port = server.server.addresses[1].removeprefix("tcp://").partition(":")
        with Peer((host, int(port))) as peer:
            peer.send("authenticate", {"token": given})
            peer.send("ping")
            peer.expect(answer)
    assert compared == [{given.encode(), TOKEN.encode()}]


@pytest.mark.parametrize(("given", "status"), [("sesamE", 401), (TOKEN, 200)])
def test_the_token_of_the_page(compared, given, status):
    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive():
        return {"type": "http.request", "body": b""}

    async def send(message):
        sent.append(message)

    sent = []
    headers = {b"host": b"localhost", b"authorization": f"Bearer {given}".encode()}
    scope = {
        "type": "http", "method": "GET", "path": "/api/status", "headers": list(headers.items()),
        "client": None,
    }  # fmt: skip
    guard = Guard(app, token=TOKEN, name="localhost", private="/api")
    asyncio.run(guard(scope, receive, send))
    assert sent[0]["status"] == status
    assert compared == [{given.encode(), TOKEN.encode()}]


def plain_comparisons(source):
    """Yield the lines that compare something called a secret by ==, != or in."""
    plain = ast.Eq | ast.NotEq | ast.In | ast.NotIn
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare) and any(isinstance(op, plain) for op in node.ops):
            for part in ast.walk(node):
                name = getattr(part, "id", None) or getattr(part, "attr", None) or ""
                if SECRET.search(name):
                    yield node.lineno


def test_no_secret_is_compared_in_another_way():
    assert list(plain_comparisons("if self._token != given: pass")) == [1]
    assert list(plain_comparisons("if given in {config.mqtt.password}: pass")) == [1]
    found = {
        str(path.relative_to(PACKAGE)): lines
        for path in PACKAGE.rglob("*.py")
        if (lines := list(plain_comparisons(path.read_text())))
    }
    assert found == {}
