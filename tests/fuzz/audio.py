"""Recordings: WAV, FLAC and whatever else claims to be one, and raw samples."""

import io
from pathlib import Path

from fuzz import scratch

from wakeword_daemon.audio import files
from wakeword_daemon.errors import AudioError

_folder = scratch.folder()
_MOST = 4_000_000  # samples after which a recording that says little at length is left


def one_input(data):
    """Read the bytes as a recording, and as a pipe of samples."""
    for suffix in ("", ".raw"):
        path = Path(_folder.name) / f"recording{suffix}"
        path.write_bytes(data)
        heard = 0
        try:
            for block in files.blocks(path):
                assert block.dtype == "int16"
                assert block.ndim == 1
                heard += len(block)
                if heard > _MOST:
                    break
        except AudioError:
            pass
    try:
        for block in files.live_blocks(io.BufferedReader(io.BytesIO(data))):
            assert len(block) <= 1280
    except AudioError:
        assert len(data) < 2
