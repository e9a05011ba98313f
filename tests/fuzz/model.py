"""The model file: as it came, and with a checksum that fits, as whoever makes one can give it."""

import json
import re
from pathlib import Path

import numpy as np
from fuzz import scratch
from safetensors import SafetensorError
from safetensors.numpy import load, save

from wakeword_daemon.engine.modelfile import checksum_of, read_model, stored_arrays
from wakeword_daemon.engine.streams import new_stream
from wakeword_daemon.errors import ModelError

_folder = scratch.folder()
_file = Path(_folder.name) / "word.safetensors"
_CHECKSUM = re.compile(r'"checksum":"[^"]*"')
_noise = np.random.default_rng(0).integers(-9000, 9000, 8_000, np.int16)


def _signed(data):
    """Return the same file with the right checksum; None if it has no place for one."""
    try:
        arrays, stored = load(data), stored_arrays(data)
        size = int.from_bytes(data[:8], "little")
        entry = json.loads(data[8 : 8 + size])["__metadata__"]["wakeword"]
        unsigned = _CHECKSUM.sub('"checksum":""', entry, count=1)
        digest = checksum_of(unsigned, stored)
    except (SafetensorError, ValueError, KeyError, RecursionError):
        return None
    return save(arrays, {"wakeword": unsigned.replace('"checksum":""', f'"checksum":"{digest}"')})


def _read(data):
    _file.write_bytes(data)
    try:
        model = read_model(_file)
        with np.errstate(all="ignore"):  # weights may be anything
            model.self_test()
            new_stream([model.network()]).hear(_noise)
    except ModelError:
        return
    assert model.name.isprintable()
    assert 0 < model.threshold < 1


def one_input(data):
    """Read it, test it and let it hear."""
    _read(data)
    signed = _signed(data)
    if signed is not None:
        _read(signed)
