"""Settings of all tests, and fixtures that several files use."""

import itertools
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


def pytest_collection_modifyitems(items):
    """Begin with the modules that take longest, so that no process is left with one at the end.

    One that trains networks, and so keeps a core busy, comes beside one that mostly waits for sound
    or for a process.
    """
    turn = {}
    busy, waiting = itertools.count(0, 2), itertools.count(1, 2)
    for path, tests in itertools.groupby(items, key=lambda item: item.path):
        marks = {mark.name for test in tests for mark in test.iter_markers()}
        if "torch" in marks:
            turn[path] = next(busy)
        elif marks & {"sound", "systemd", "slow"}:
            turn[path] = next(waiting)
        else:
            turn[path] = len(items)
    items.sort(key=lambda item: turn[item.path])


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
