"""A wake service on a loop of its own, and rooms that speak to it."""

import asyncio
import json
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

import numpy as np
import soundfile
from support.daemon import AUDIO, WAKEWORD, until
from support.eventserver import PATIENCE, Peer

from wakeword_daemon import load_model
from wakeword_daemon.engine import WordSettings
from wakeword_daemon.rooms.detectors import Detectors
from wakeword_daemon.rooms.server import RoomServer

WORDS = ("jarvis", "alexa")
HOP_BYTES = 2_560


def detectors(words=WORDS):
    models = [load_model(word) for word in words]
    return Detectors(models, {word: WordSettings() for word in words})


def speech(name="jarvis-slt", *, before=0.5, after=1.0):
    """Return 16 kHz samples of what was said, with near-silence around it."""
    said = soundfile.read(AUDIO / f"{name}.flac", dtype="int16")[0]
    noise = np.random.default_rng(0)
    parts = [noise.integers(-3, 4, round(s * 16_000), np.int16) for s in (before, after)]
    return np.concatenate((parts[0], said, parts[1]))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


class RunningRooms:
    """A RoomServer in a thread of its own, on a unix socket and on TCP."""

    def __init__(self, **options):
        self._folder = tempfile.TemporaryDirectory(prefix="ww")
        self.path = Path(self._folder.name) / "wake.sock"
        self.server = RoomServer(options.pop("detectors", None) or detectors(), **options)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self):
        self._thread.start()
        self.wait_for(self.server.start([self.path, ("127.0.0.1", 0)]))
        return self

    def __exit__(self, *_exception):
        self.wait_for(self.server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._folder.cleanup()

    @property
    def port(self):
        return int(self.server.addresses[1].rpartition(":")[2])

    def wait_for(self, awaitable):
        return asyncio.run_coroutine_threadsafe(awaitable, self._loop).result(PATIENCE)

    def room(self):
        return RoomPeer(self.path)

    def until_rooms(self, count):
        until(lambda: self.server.connections == count, f"{count} rooms")


class Serve:
    """`wakeword serve` as a process."""

    def __init__(self, *arguments):
        self.folder = tempfile.TemporaryDirectory(prefix="ww")
        self.path = Path(self.folder.name) / "wake.sock"
        uri = ("--uri", f"unix://{self.path}")
        self._command = [*WAKEWORD, "serve", *uri, "--word", "jarvis", *arguments]

    def __enter__(self):
        self.process = subprocess.Popen(self._command, stderr=subprocess.PIPE, text=True)
        until(lambda: self.process.poll() is not None or self._answers(), "the socket")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()
        self.folder.cleanup()

    def _answers(self):
        try:
            RoomPeer(self.path).close()
        except OSError:
            return False
        return True


class RoomPeer(Peer):
    """A room that sends what the test wants."""

    def start(self, rate=16_000, width=2, channels=1):
        self.form = {"rate": rate, "width": width, "channels": channels}
        self.send("audio-start", self.form)

    def frame(self, payload, **data):
        """Return one chunk as Wyoming's own client writes it: the data in a block of its own."""
        block = json.dumps(self.form | data).encode()
        head = {"type": "audio-chunk", "version": "1.8.0"}
        head |= {"data_length": len(block), "payload_length": len(payload)}
        return json.dumps(head).encode() + b"\n" + block + payload

    def chunk(self, payload, **data):
        self.send_bytes(self.frame(payload, **data))

    def say(self, pcm, size=HOP_BYTES):
        raw = pcm if isinstance(pcm, bytes) else pcm.tobytes()
        for start in range(0, len(raw), size):
            self.chunk(raw[start : start + size])

    def answers(self):
        """Return everything that was answered so far."""
        self.send("ping", {"text": "so far"})
        heard = []
        while (event := self.read()) is not None and event["type"] != "pong":
            heard.append(event)
        return heard
