"""What a process that runs for months keeps in memory."""

import subprocess
import sys

GARBAGE = """
import gc, weakref
from wakeword_daemon.cli import _process


class Peer:
    def __init__(self):
        self.itself = self


loaded = [[] for _ in range(200_000)]
_process.keep_garbage_short()
peer = Peer()
gc.collect(0), gc.collect(1)  # old enough that only a full collection looks at it
gone = weakref.ref(peer)
del peer
for _ in range(200):
    passing = [[] for _ in range(1_000)]
print(gone() is None)
"""


def test_what_is_loaded_does_not_postpone_the_end_of_garbage():
    done = subprocess.run(
        [sys.executable, "-c", GARBAGE], capture_output=True, text=True, check=True
    )
    assert done.stdout == "True\n"
