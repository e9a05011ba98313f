"""Settings of all tests."""

from hypothesis import settings

# Time decides no test: a busy machine takes as long as it takes.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
