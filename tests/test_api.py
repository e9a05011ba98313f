"""What a program that embeds the detector, or subscribes, gets from the package's top."""

import subprocess
import sys

import numpy as np
import pytest

import wakeword_daemon
from wakeword_daemon.errors import ModelError


def test_every_public_name_exists_and_is_documented():
    for name in wakeword_daemon.__all__:
        assert getattr(wakeword_daemon, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'listen_to_me'"):
        wakeword_daemon.listen_to_me  # noqa: B018


def test_a_shipped_word_is_loaded_by_its_name():
    assert wakeword_daemon.load_model("jarvis").name == "jarvis"
    with pytest.raises(ModelError, match="jarvis"):
        wakeword_daemon.load_model("jarvi")


def test_public_types_can_be_imported_from_the_package():
    from wakeword_daemon import (  # noqa: PLC0415 -- this is what is tested
        Detection,
        Detector,
        Model,
        Step,
        WordSettings,
        errors,
    )  # fmt: skip

    model = wakeword_daemon.load_model("jarvis")
    assert isinstance(model, Model)
    step, *_ = Detector([model], {"jarvis": WordSettings()}).scores(np.zeros(4000, np.int16))
    assert isinstance(step, Step)
    assert Detection.__module__.startswith("wakeword_daemon.engine")
    for name, error in vars(errors).items():
        if isinstance(error, type):
            assert getattr(wakeword_daemon, name) is error


def test_a_subscriber_loads_neither_numpy_nor_asyncio_nor_the_engine():
    program = (
        "import sys; from wakeword_daemon import subscribe, EventsError; "
        "sys.exit(bool({'numpy', 'asyncio', 'torch', 'wakeword_daemon.engine'}"
        " & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
