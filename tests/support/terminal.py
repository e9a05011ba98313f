"""A terminal of a chosen size in which a command runs, and what can be seen on its screen."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

import pyte
from support.daemon import PATIENCE


class Terminal:
    """Runs a command in a pseudo-terminal, as a context manager."""

    def __init__(self, *command, columns=80, rows=24, settings=None):
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self._ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (rows, columns))
        self.process = subprocess.Popen(
            list(map(str, command)),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509 - no test has threads here
            env=os.environ | {"TERM": "xterm-256color"} | (settings or {}),
        )
        self.raw = b""
        self._theirs = theirs

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(PATIENCE)
        os.close(self._ours)
        os.close(self._theirs)

    @property
    def text(self):
        return "\n".join(line.rstrip() for line in self.screen.display)

    def type(self, keys):
        os.write(self._ours, keys.encode())

    def resize(self, columns, rows):
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resize(rows, columns)
        os.killpg(self.process.pid, signal.SIGWINCH)

    def until(self, condition):
        """Read until `condition(text of the screen)` holds; return the text."""
        end = time.monotonic() + PATIENCE
        while not condition(self.text):
            assert time.monotonic() < end, self.text
            self._read()
        return self.text

    def sees(self, *words):
        return self.until(lambda text: all(word in text for word in words))

    def end(self):
        """Read until the process has ended; return its exit code."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < end, self.text
            self._read()
        while self._read():
            pass
        return self.process.returncode

    def echoes(self):
        """Return whether the terminal shows what is typed, as it did before."""
        return bool(termios.tcgetattr(self._theirs)[3] & termios.ECHO)

    def _read(self):
        if not select.select([self._ours], [], [], 0.05)[0]:
            return False
        received = os.read(self._ours, 65_536)
        self.raw += received
        self._stream.feed(received)
        return True


def _take_terminal():
    """Let Ctrl-C in the terminal reach this process."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
