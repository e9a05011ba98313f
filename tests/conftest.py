"""Settings of all tests."""

import signal

from hypothesis import settings

# Time decides no test: a busy machine takes as long as it takes.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# A shell that starts the tests in the background has SIGINT ignored, and programs inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
