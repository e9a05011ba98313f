"""An event server on a loop of its own, and peers that speak to it byte by byte."""

import asyncio
import contextlib
import json
import socket
import tempfile
import threading
import time
from pathlib import Path

from support.daemon import PATIENCE

from wakeword_daemon.events.protocol import (
    Attribution,
    Detection,
    Info,
    Status,
    WakeModel,
    WakeProgram,
)
from wakeword_daemon.events.server import EventServer


def info(words=("jarvis", "alexa")):
    made_by = Attribution(name="the tests")
    models = [
        WakeModel(
            name=word,
            description=f"listens for {word}",
            phrase=word,
            languages=["en"],
            attribution=made_by,
            version="1",
            model=f"{word}-1",
            threshold=0.9,
        )
        for word in words
    ]
    program = WakeProgram(
        name="wakeword-daemon", description="", attribution=made_by, version="0", models=models
    )
    return Info(wake=[program], state="listening")


def status(**fields):
    known = {"state": "listening", "words": ["jarvis", "alexa"], "pid": 1}
    measured = {"uptime": 2.5, "cpu": 0.5, "rss": 1_000_000}
    return Status(**known | measured | fields)


def detection(name="jarvis", sample=16_000):
    return Detection(
        name=name,
        timestamp=sample * 1000 // 16_000,
        wall_time=1.7e9,
        score=0.97,
        sample=sample,
        level=-21.5,
        model=f"{name}-1",
    )


class RunningServer:
    """An EventServer in a thread of its own, called from the test's thread."""

    def __init__(self, **options):
        self._folder = tempfile.TemporaryDirectory(
            prefix="ww"
        )  # short: a path of 107 bytes at most
        self.path = Path(self._folder.name) / "wakeword" / "events.sock"
        options = {"info": info, "status": status} | options
        self.server = EventServer(unix=options.pop("unix", self.path), **options)
        self.subscriptions = 0  # `subscribe` requests answered so far
        history = self.server._context.history
        resume = history.resume

        def counting_resume(request):
            self.subscriptions += 1
            return resume(request)

        history.resume = counting_resume
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self):
        self._thread.start()
        try:
            self.wait_for(self.server.start())
        except BaseException:
            self._end_loop()
            raise
        return self

    def __exit__(self, *_exception):
        self.stop()
        self._end_loop()

    def wait_for(self, awaitable):
        return asyncio.run_coroutine_threadsafe(awaitable, self._loop).result(PATIENCE)

    def call(self, function, *arguments):
        """Call a function on the server's loop and return its result."""

        async def on_loop():
            return function(*arguments)

        return self.wait_for(on_loop())

    def publish(self, *events):
        """Publish events in one go: no peer is served in between."""
        return self.call(lambda: [self.server.publish(event) for event in events])

    def subscribers(self):
        return self.call(lambda: self.server.subscribers)

    def until(self, condition):
        """Wait until `condition(subscribers)` holds."""
        deadline = time.monotonic() + PATIENCE
        while not condition(self.subscribers()):
            assert time.monotonic() < deadline, self.subscribers()
            time.sleep(0.005)

    def cut_and_publish(self, *events):
        """End every connection as a fault would, and publish before anyone can come back."""

        def both():
            for session in self.server._sessions:
                session.abort()
            for event in events:
                self.server.publish(event)

        self.call(both)

    def stop(self, grace=0.5):
        self.wait_for(self.server.stop(grace))

    def connect(self):
        """Return a peer that the server has accepted."""
        peer = Peer(self.path)
        peer.ask("ping", answer="pong")
        return peer

    def _end_loop(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._folder.cleanup()


class Peer:
    """A peer of the event socket that sends and reads what the test wants."""

    def __init__(self, address):
        if isinstance(address, Path):
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.connect(str(address))  # before the timeout: waits for a full backlog
            self.socket.settimeout(PATIENCE)
        else:
            self.socket = socket.create_connection(address, timeout=PATIENCE)
        self._file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.close()

    def close(self):
        self._file.close()
        self.socket.close()

    def send(self, kind, data=None, **header):
        self.send_bytes(json.dumps({"type": kind, "data": data or {}, **header}).encode() + b"\n")

    def send_bytes(self, raw):
        self.socket.sendall(raw)

    def read(self):
        """Return the next event, or None at the end of the connection."""
        with contextlib.suppress(ConnectionResetError):
            line = self._file.readline()
            if not line:
                return None
            event = json.loads(line)
            if length := event.pop("payload_length", 0):
                event["payload"] = self._file.read(length)
            return event
        return None

    def expect(self, kind):
        event = self.read()
        assert event is not None, f"the connection ended instead of {kind}"
        assert event["type"] == kind, event
        return event["data"]

    def ask(self, kind, data=None, *, answer):
        self.send(kind, data)
        return self.expect(answer)
