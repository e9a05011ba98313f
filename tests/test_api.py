"""What a program that embeds the detector, or subscribes, gets from the package's top."""

import subprocess
import sys

import pytest

import wakeword_daemon
from wakeword_daemon.errors import ModelError


def test_every_public_name_is_there_and_documented():
    for name in wakeword_daemon.__all__:
        assert getattr(wakeword_daemon, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'listen_to_me'"):
        wakeword_daemon.listen_to_me  # noqa: B018


def test_a_shipped_word_is_loaded_by_its_name():
    assert wakeword_daemon.load_model("jarvis").name == "jarvis"
    with pytest.raises(ModelError, match="jarvis"):
        wakeword_daemon.load_model("jarvi")


def test_a_subscriber_loads_neither_numpy_nor_asyncio():
    program = (
        "import sys; from wakeword_daemon import subscribe; "
        "sys.exit(bool({'numpy', 'asyncio', 'torch'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
