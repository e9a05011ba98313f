"""The real `wakeword` command as a process, and the service manager it reports to."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
from msgspec import to_builtins

from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.events.client import read_status

WAKEWORD = (sys.executable, "-m", "wakeword_daemon")
AUDIO = Path(__file__).resolve().parents[1] / "audio"
PATIENCE = 120.0
"""Seconds after which a wait has failed: far more than anything needs on a busy machine."""


def wakeword(*arguments, **options):
    """Run one command to its end."""
    options = {"capture_output": True, "text": True, "timeout": 300} | options
    return subprocess.run([*WAKEWORD, *map(str, arguments)], check=False, **options)


def end_of_speech(pcm):
    """Return the index one past the last sample that is louder than 1 % of the peak."""
    loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) > np.abs(pcm.astype(np.int32)).max() / 100)
    return int(loud[-1]) + 1


def recording(path, *parts):
    """Write parts one after the other: names in tests/audio, or seconds of silence.

    Returns the indices one past the last sample of each spoken part.
    """
    heard, ends, length = [], [], 0
    for part in parts:
        if isinstance(part, str):
            pcm = soundfile.read(AUDIO / f"{part}.flac", dtype="int16")[0]
            ends.append(length + end_of_speech(pcm))
        else:
            pcm = np.zeros(round(part * SAMPLE_RATE), np.int16)
        heard.append(pcm)
        length += len(pcm)
    soundfile.write(path, np.concatenate(heard), SAMPLE_RATE, subtype="PCM_16")
    return ends


def until(condition, what="it", patience=PATIENCE):
    """Wait until the condition holds; return its value."""
    end = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < end, f"{what} did not happen"
        time.sleep(0.02)
    return value


class Daemon:
    """`wakeword run ARGUMENTS…` in a short folder of its own, as a context manager.

    `settings` are added to the environment, and `command` is what runs instead of the `wakeword`
    of this checkout. The folder `root` holds the socket and the log.
    """

    def __init__(self, *arguments, settings=None, stdin=subprocess.DEVNULL, command=WAKEWORD):
        self.root = Path(tempfile.mkdtemp(prefix="ww-", dir="/tmp"))
        self.socket = self.root / "run" / "events.sock"
        self._command = (*command, "run", "--socket", str(self.socket), *map(str, arguments))
        self._settings = settings or {}
        self._stdin = stdin
        self._subscribers = []
        self._manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._manager.bind(str(self.root / "notify"))

    def __enter__(self):
        self.start()
        return self

    def start(self):
        """Start the process, or another one after it ended."""
        environment = os.environ | {
            "NOTIFY_SOCKET": str(self.root / "notify"),
            "XDG_CONFIG_HOME": str(self.root),
        }
        with (self.root / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                env=environment | self._settings,
                stdin=self._stdin,
                stderr=log,
            )

    def __exit__(self, *_):
        for process in (self.process, *self._subscribers):
            process.kill()
            process.wait(PATIENCE)
        self._manager.close()
        shutil.rmtree(self.root)

    @property
    def log(self):
        return (self.root / "log").read_text()

    def notified(self, field, patience=PATIENCE):
        """Return the value of the next message to the service manager that has the field.

        For READY it is the status sent with it.
        """
        self._manager.settimeout(0.2)
        end = time.monotonic() + patience
        while True:
            try:
                message = self._manager.recv(4096).decode()
            except TimeoutError:
                in_vain = self.process.poll() is not None or time.monotonic() > end
                assert not in_vain, f"no {field} came\n{self.log}"
                continue
            fields = dict(line.split("=", 1) for line in message.splitlines())
            if field in fields:
                return fields.get("STATUS", "") if field == "READY" else fields[field]

    def drain(self):
        """Discard the messages so far."""
        self._manager.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while self._manager.recv(4096):
                pass

    def status(self):
        return to_builtins(read_status(self.socket))

    def listen(self, *arguments):
        """Start `wakeword listen --json`; return it when it is connected."""
        process = subprocess.Popen(
            [*WAKEWORD, "listen", "--json", "--socket", str(self.socket), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._subscribers.append(process)
        pid = f"process {process.pid} "
        until(
            lambda: any(s["peer"].startswith(pid) for s in self.status()["subscribers"]),
            "a subscription",
        )
        return process

    def stop(self, number=signal.SIGTERM):
        """Send the signal; return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


def events(listener):
    """Wait for a subscriber to end; return the events it printed."""
    out, _ = listener.communicate(timeout=PATIENCE)
    return [json.loads(line) for line in out.splitlines()]
