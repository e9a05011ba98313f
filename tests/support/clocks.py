"""The clocks of one process, which a test sets while the machine's own stay as they are.

libfaketime would be the usual tool, but its 0.9.10 lets `clock_nanosleep` fail, which Python's
`time.sleep` calls.
"""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from typing import Self

_SOURCE = Path(__file__).with_name("clocks.c")


class Clocks:
    """A context manager; processes that run with `env()` have these clocks.

    Monotonic time is never changed.
    """

    def __enter__(self) -> Self:
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("there is no C compiler")
        self._root = Path(tempfile.mkdtemp(prefix="clk-", dir="/tmp"))
        self._library = self._root / "clocks.so"
        subprocess.run(
            [compiler, "-shared", "-fPIC", "-O1", "-o", self._library, _SOURCE, "-ldl"], check=True
        )
        self._set = self._root / "set"
        self._set.write_bytes(bytes(3 * 8))
        with self._set.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), 3 * 8)
        self._step = self._suspended = self._drift = 0.0
        return self

    def __exit__(self, *_: object) -> None:
        self._page.close()
        shutil.rmtree(self._root)

    def env(self) -> dict[str, str]:
        """Return what a process needs in its environment."""
        return {"LD_PRELOAD": str(self._library), "CLOCKS": str(self._set)}

    def step(self, seconds: float) -> None:
        """Set the wall clock so far ahead of the right time."""
        self._step = seconds
        self._write()

    def sleep(self, seconds: float) -> None:
        """Pretend that the machine was suspended: all clocks but the monotonic one advance."""
        self._suspended += seconds
        self._write()

    def drift(self, share: float) -> None:
        """Let the computer's clocks gain so many seconds a second on the sound card's."""
        self._drift = share
        self._write()

    def _write(self) -> None:
        self._page[:] = struct.pack("ddd", self._step, self._suspended, self._drift)
