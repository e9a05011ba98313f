"""The manifest of a folder of recordings, read for training and added to."""

import contextlib
from pathlib import Path

from fuzz import scratch

from wakeword_daemon import manifest
from wakeword_daemon.errors import TrainingError
from wakeword_daemon.training.data.corpus import read_corpus

_folder = scratch.folder()
_root = Path(_folder.name)
_file = _root / manifest.NAME
for name in ("a.wav", "b.wav", "noise/c.wav"):
    (_root / name).parent.mkdir(exist_ok=True)
    (_root / name).touch()


def one_input(data):
    """Read it; write what was read, and read the same again."""
    _file.write_bytes(data)
    with contextlib.suppress(TrainingError):
        read_corpus(_root).fingerprint()
    try:
        before = manifest.rows(_root)
    except TrainingError:
        return
    manifest.append(_root, [])
    assert manifest.rows(_root) == before
