"""A person at a terminal: a command under a pseudo-terminal, its screen and its keys."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading

from .daemon import PATIENCE, WAKEWORD, until


class Person:
    """Runs `wakeword ARGUMENTS…` on a terminal of its own, as a context manager."""

    def __init__(self, *arguments, settings=None, columns=80):
        self._arguments = [*WAKEWORD, *map(str, arguments)]
        self._settings = settings
        self._columns = columns
        self.text = ""

    def __enter__(self):
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, self._columns, 0, 0))

        self.process = subprocess.Popen(
            self._arguments,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=self._settings or os.environ,
            start_new_session=True,
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        os.close(self._ours)

    def _read(self):
        while True:
            try:
                data = os.read(self._ours, 65536)
            except OSError:  # the command has ended
                return
            if not data:
                return
            self.text += data.decode(errors="replace")

    @property
    def screen(self):
        """What was written, without colours and movements of the cursor."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.text).replace("\r\n", "\n")

    def sees(self, what, times=1):
        """Wait until something was written so many times."""

        def written():
            ended = self.process.poll() is not None
            assert not ended or self.screen.count(what) >= times, self.screen
            return self.screen.count(what) >= times

        until(written, f"{what!r} {times} times")

    def press(self, keys):
        os.write(self._ours, keys.encode())

    def ends(self):
        """Wait for the command to end; return its exit code."""
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code
