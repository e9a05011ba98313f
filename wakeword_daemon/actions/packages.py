"""Whether the packages that an action needs are installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from wakeword_daemon.errors import ConfigError, lacks

if TYPE_CHECKING:
    from wakeword_daemon.config import Config


def check(config: Config) -> None:
    """Check the packages of the actions that a config asks for.

    Raises:
        ConfigError: one is not installed; the message says what installs it.

    """
    for wanted, package, setting, extra in (
        (config.dbus.enabled, "dbus_fast", "dbus.enabled", "dbus"),
        (config.mqtt.host is not None, "paho", "mqtt.host", "mqtt"),
    ):
        if wanted and not _is_there(package):
            raise ConfigError(lacks(setting, package, extra))


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ValueError:  # it was ruled out
        return False
