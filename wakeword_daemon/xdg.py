"""A user's own folders, according to the XDG Base Directory Specification.

As it says, a variable is ignored if it is unset, empty, or not an absolute path. A service of the
machine has no home; systemd gives it a folder instead.
"""

from __future__ import annotations

import os
from pathlib import Path


def config_home() -> Path:
    """Return the folder of the user's settings: `$XDG_CONFIG_HOME`, else `~/.config`."""
    return _folder("XDG_CONFIG_HOME") or Path.home() / ".config"


def cache_home() -> Path:
    """Return the folder for data that can be computed again: `$XDG_CACHE_HOME`, else `~/.cache`."""
    return _folder("XDG_CACHE_HOME") or Path.home() / ".cache"


def state_home() -> Path:
    """Return the folder for what outlives a restart: `$XDG_STATE_HOME`, else `~/.local/state`."""
    return _folder("XDG_STATE_HOME") or Path.home() / ".local/state"


def service_state() -> Path | None:
    """Return the folder that systemd made for the state of a service: see systemd.exec(5)."""
    return _folder("STATE_DIRECTORY")


def runtime_folder() -> Path | None:
    """Return the folder for the user's sockets: `$XDG_RUNTIME_DIR`, else `/run/user/UID`.

    None if neither exists, as for a service of the machine.
    """
    folder = _folder("XDG_RUNTIME_DIR")
    if folder is not None:
        return folder
    usual = Path(f"/run/user/{os.getuid()}")
    return usual if usual.is_dir() else None


def _folder(variable: str) -> Path | None:
    path = Path(os.environ.get(variable, ""))
    return path if path.is_absolute() else None
