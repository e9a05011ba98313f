"""The failures a user can mend, each told in one sentence."""


class WakewordError(Exception):
    """A failure the user can mend; the message says what is wrong and what to do about it.

    The command line prints the message alone and exits with `exit_code`; nothing else that
    is raised on purpose reaches a user.
    """

    exit_code = 1


class ConfigError(WakewordError):
    """A setting that is unknown, of the wrong type or out of range."""

    exit_code = 2


class ModelError(WakewordError):
    """A wake word's model that is missing, damaged, altered or of another format version."""


class AudioError(WakewordError):
    """A device or a file that gives no audio."""


class EventsError(WakewordError):
    """The event socket cannot be opened, reached or understood."""


class TrainingError(WakewordError):
    """Recordings, splits or options that cannot be trained on."""
