"""What to say when a command needs a package that the daemon does without."""

from __future__ import annotations

from wakeword_daemon.errors import WakewordError


def missing(task: str, error: ModuleNotFoundError) -> WakewordError:
    """Return the error that says which package `task` lacks, and how to install it."""
    return WakewordError(
        f"{task} needs the package {error.name}; in a clone of this project, install what is"
        " missing with: pip install '.[train]'"
    )
