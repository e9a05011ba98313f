"""A private session bus, and one command line that speaks to it."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from .daemon import until


class Bus:
    """`dbus-daemon` as a context manager; it can be stopped and started again."""

    def __init__(self):
        if shutil.which("dbus-daemon") is None or shutil.which("gdbus") is None:
            pytest.skip("dbus is not installed")
        self.root = Path(tempfile.mkdtemp(prefix="bus-", dir="/tmp"))
        self.address = f"unix:path={self.root}/bus"
        self._processes = []

    @property
    def settings(self):
        return {"DBUS_SESSION_BUS_ADDRESS": self.address}

    def start(self):
        (self.root / "bus").unlink(missing_ok=True)
        command = ["dbus-daemon", "--session", "--nofork", "--nosyslog", "--address", self.address]
        self._processes.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        until((self.root / "bus").exists, "a bus")
        return self

    def stop(self):
        self._processes[-1].kill()
        self._processes[-1].wait()

    def gdbus(self, action, *arguments):
        """Run `gdbus ACTION` on our object; return what it prints, or its error."""
        done = subprocess.run(
            ["gdbus", action, "--session", "--dest", "org.wakeword.Daemon1",
             "--object-path", "/org/wakeword/Daemon1", *arguments],
            env=os.environ | self.settings, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return (done.stdout or done.stderr).strip()

    def property(self, name):
        get = ("--method", "org.freedesktop.DBus.Properties.Get")
        return self.gdbus("call", *get, "org.wakeword.Daemon1", name)

    def monitor(self):
        """Start `gdbus monitor`; return the process, whose lines are signals."""
        process = subprocess.Popen(
            ["gdbus", "monitor", "--session", "--dest", "org.wakeword.Daemon1"],
            env=os.environ | self.settings,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._processes.append(process)
        for _ in range(2):
            process.stdout.readline()  # what it monitors, and who owns the name
        return process

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        for process in self._processes:
            process.send_signal(signal.SIGKILL)
            process.wait()
        shutil.rmtree(self.root)
