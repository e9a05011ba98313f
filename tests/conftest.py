"""Settings of all tests."""

import signal

import pytest
from hypothesis import settings

# Time decides no test: a busy machine takes as long as it takes.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# A shell that starts the tests in the background has SIGINT ignored, and programs inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def room():
    """A sound server whose microphone hears a quiet room."""
    from support.soundserver import PulseServer  # noqa: PLC0415 - most tests need none

    with PulseServer() as server:
        server.hum()
        yield server
