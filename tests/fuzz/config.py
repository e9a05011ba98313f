"""The config file, and changing a threshold in it."""

from pathlib import Path

from fuzz import scratch

from wakeword_daemon import config
from wakeword_daemon.errors import ConfigError

_folder = scratch.folder()
_file = Path(_folder.name) / "config.yaml"


def one_input(data):
    """Read it; if it is a config, save a threshold in it and read that."""
    _file.write_bytes(data)
    try:
        words = config.load(_file).words
    except ConfigError:
        return
    word = next(iter(words))
    try:
        config.save_threshold(_file, word, 0.25)
    except ConfigError:
        assert _file.read_bytes() == data
        return
    assert config.load(_file).words[word].threshold == 0.25
