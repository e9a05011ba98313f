"""A command in a terminal of its own: what it prints, what is on its screen, and its keys."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
import time

import pyte
from support.daemon import PATIENCE


class Terminal:
    """Runs a command in a pseudo-terminal, as a context manager.

    `environ` is the command's whole environment, by default that of the tests.
    """

    def __init__(self, *command, columns=80, rows=24, environ=None):
        self.screen = pyte.Screen(columns, rows)
        self.raw = b""
        self._stream = pyte.ByteStream(self.screen)
        self._ours, self._theirs = pty.openpty()
        termios.tcsetwinsize(self._theirs, (rows, columns))
        self.process = subprocess.Popen(
            list(map(str, command)),
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509 - one ioctl, nothing of Python's
            env=(os.environ if environ is None else environ) | {"TERM": "xterm-256color"},
        )
        # Read all the time, so that a command never waits for a test that does something else.
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(PATIENCE)
        self._hang_up()
        os.close(self._ours)

    @property
    def text(self):
        """What is on the screen now."""
        with self._news:
            return "\n".join(line.rstrip() for line in self.screen.display)

    @property
    def printed(self):
        """Everything that was printed, without colours and movements of the cursor."""
        text = self.raw.decode(errors="replace")
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r\n", "\n")

    def type(self, keys):
        os.write(self._ours, keys.encode())

    def resize(self, columns, rows):
        with self._news:
            self.screen.resize(rows, columns)
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.killpg(self.process.pid, signal.SIGWINCH)

    def until(self, condition):
        """Wait until `condition(text on the screen)` holds; return the text."""
        return self._wait(lambda: self.text, condition)

    def sees(self, *words):
        """Wait until all the words are on the screen at a time; return its text."""
        return self.until(lambda text: all(word in text for word in words))

    def prints(self, what, times=1):
        """Wait until something was printed so many times."""
        self._wait(lambda: self.printed, lambda text: text.count(what) >= times)

    def end(self):
        """Wait until the command has ended; return its exit code."""
        code = self.process.wait(PATIENCE)
        self._hang_up()
        return code

    def echoes(self):
        """Return whether the terminal shows what is typed, as it did before."""
        if self._theirs is not None:
            self._echoed = bool(termios.tcgetattr(self._theirs)[3] & termios.ECHO)
        return self._echoed

    def _wait(self, look, condition):
        limit = time.monotonic() + PATIENCE
        while not condition(found := look()):
            assert self._reader.is_alive(), found
            assert time.monotonic() < limit, found
            if self.process.poll() is not None:
                self._hang_up()
            with self._news:
                self._news.wait(0.1)
        return found

    def _read(self):
        while True:
            try:
                received = os.read(self._ours, 65_536)
            except OSError:  # nobody has the other end open any more
                received = b""
            with self._news:
                self.raw += received
                self._stream.feed(received)
                self._news.notify_all()
            if not received:
                return

    def _hang_up(self):
        """Close our copy of the command's end, and read what is left up to the last byte."""
        if self._theirs is not None:
            self.echoes()
            os.close(self._theirs)
            self._theirs = None
            self._reader.join(PATIENCE)


def _take_terminal():
    """Let Ctrl-C in the terminal reach this process."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
