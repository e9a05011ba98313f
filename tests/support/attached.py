"""Whoever is attached to a daemon for hours: rooms that speak, a monitor, a page with a browser."""

import contextlib
import http.client
import os
import pty
import random
import re
import subprocess
import sys
import termios
import threading
import time
import urllib.request

from support.daemon import WAKEWORD
from support.roomserver import HOP_BYTES, RoomPeer, speech

from wakeword_daemon.clock import HOP, SAMPLE_RATE


class SpeakingRoom:
    """Streams to the wake service in real time and says a word now and then, on a thread."""

    def __init__(self, path, seed):
        self.spoken = self.heard = self.broken = 0
        self.failures = []
        self._path = path
        self._chance = random.Random(seed)  # noqa: S311 -- no secret
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            with contextlib.suppress(OSError, TypeError):
                self._stream()
                self.broken += 1
            time.sleep(0.5)

    def _stream(self):
        """Speak until the connection ends."""
        with RoomPeer(self._path) as peer:
            peer.start()
            while True:
                word = self._chance.choice(("jarvis-slt", "jarvis-rms"))
                pcm = speech(word, before=self._chance.uniform(3, 15), after=2.0)
                due = time.monotonic()
                for at in range(0, len(pcm), HOP):
                    due += HOP / SAMPLE_RATE
                    time.sleep(max(due - time.monotonic(), 0))
                    peer.say(pcm[at : at + HOP], HOP_BYTES)
                peer.send("ping", {"text": "so far"})
                heard = []
                while (event := peer.read()) is not None and event["type"] != "pong":
                    heard.append(event)
                if event is None:
                    return
                self.spoken += 1
                words = sum(event["type"] == "detection" for event in heard)
                self.heard += words
                if words != 1:
                    self.failures.append(f"{word} in a room was {words} detections")


class Viewer:
    """A monitor in a terminal, or a page with a browser that reads on; what it shows is dropped."""

    def __init__(self, socket, environ):
        self._ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, 80))
        self.shown = 0  # bytes that the monitor drew
        self.sent = 0  # bytes that the page sent
        self.monitor = subprocess.Popen(
            [*WAKEWORD, "monitor", "--socket", str(socket)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env=environ | {"TERM": "xterm-256color"},
        )
        os.close(theirs)
        self.page = subprocess.Popen(
            [*WAKEWORD, "page", "--port", "0", "--socket", str(socket)],
            stdout=subprocess.PIPE,
            stderr=sys.stderr,
            text=True,
            env=environ,
        )
        self._url = self.page.stdout.readline().strip()
        for job in (self._watch, self._browse):
            threading.Thread(target=job, daemon=True).start()

    def close(self):
        for process in (self.monitor, self.page):
            process.kill()
            process.wait()

    def memory(self):
        """Return the MiB that both have in RAM."""
        return tuple(_resident(process.pid) for process in (self.monitor, self.page))

    def _watch(self):
        with contextlib.suppress(OSError):
            while data := os.read(self._ours, 65_536):
                self.shown += len(data)

    def _browse(self):
        events = f"{self._url}api/events"
        while self.page.poll() is None:
            with (
                contextlib.suppress(OSError, http.client.HTTPException),
                urllib.request.urlopen(events, timeout=60) as live,  # noqa: S310 -- our own page
            ):
                while data := live.read1(65_536):
                    self.sent += len(data)
            time.sleep(1)


def _resident(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status") as status:  # noqa: PTH123
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) / 2**10
    return float("nan")
