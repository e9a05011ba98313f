"""The error for a command that needs a package which the daemon does not need."""

from __future__ import annotations

from wakeword_daemon.errors import WakewordError, lacks


def missing(task: str, error: ModuleNotFoundError, extra: str = "train") -> WakewordError:
    """Return an error that says which package `task` needs, and how to install it."""
    return WakewordError(lacks(task, error.name, extra))
