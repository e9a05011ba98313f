"""The errors that a user can fix; the message of each is one sentence."""

from __future__ import annotations

import errno

DISK_FAILED = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""Numbers of the errors that a write ends in where the disk is full or broken."""


class WakewordError(Exception):
    """An error that the user can fix; the message says what is wrong and what to do about it.

    The command line prints only the message and exits with `exit_code`. No other exception that is
    raised on purpose reaches a user.
    """

    exit_code = 1


class ConfigError(WakewordError):
    """A setting that is unknown, of the wrong type or out of range."""

    exit_code = 2


class ModelError(WakewordError):
    """A wake word's model that is missing, damaged, altered or of another format version."""


class AudioError(WakewordError):
    """A device or a file without audio."""


class EventsError(WakewordError):
    """The event socket cannot be opened, reached or understood."""


class TrainingError(WakewordError):
    """Recordings, splits or options that cannot be used for training."""


def cannot_listen(task: str, host: str, port: int, error: OSError, option: str = "") -> EventsError:
    """Return why nothing can listen on a TCP port.

    Args:
        task: what the port is for, as in “cannot serve the page”.
        host: the address or name.
        port: the port.
        error: what the system said.
        option: how another port is chosen, where a command has an option for it.

    """
    reason = error.strerror or str(error)
    if error.errno == errno.EADDRINUSE:
        reason = "another program has it; choose another one"
        reason += f" with {option}" if option else ""
    return EventsError(f"cannot {task} on {host} port {port}: {reason}")


def lacks(task: str, package: str | None, extra: str) -> str:
    """Return a sentence that says which package `task` needs, and how to install its extra."""
    return (
        f"{task} needs the package {package}; in a clone of this project, install what is missing"
        f" with: pip install '.[{extra}]'"
    )
