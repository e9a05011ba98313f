"""Settings of all tests, and fixtures that several files use."""

import signal
import tempfile
from pathlib import Path

import hypothesis
import pytest

# Time decides no test: a busy machine takes as long as it takes.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")

# A shell that starts the tests in the background has SIGINT ignored, and programs inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def room():
    """A sound server whose microphone hears a quiet room."""
    from support.soundserver import PulseServer  # noqa: PLC0415 - most tests need none

    with PulseServer() as server:
        server.hum()
        yield server


@pytest.fixture
def folder():
    """A folder with a short path, as a unix socket needs."""
    with tempfile.TemporaryDirectory(prefix="ww") as name:
        yield Path(name)


@pytest.fixture
def server():
    """A running event server."""
    from support.eventserver import RunningServer  # noqa: PLC0415 - most tests need none

    with RunningServer() as running:
        yield running


@pytest.fixture
def settings(tmp_path):
    """The config file of a daemon with two words, and of its page."""
    path = tmp_path / "config.yaml"
    path.write_text(
        "words:\n  jarvis:\n    threshold: 0.5  # ours\n  smart mirror: {}\n"
        "clips: {folder: clips}\n"
    )
    return path


@pytest.fixture
def page(tmp_path, settings, daemon):
    """The page of the daemon that the test file starts."""
    from support.webpage import WebPage  # noqa: PLC0415 - most tests need none

    with WebPage(tmp_path / "state", "--config", settings, "--socket", daemon.socket) as served:
        yield served
