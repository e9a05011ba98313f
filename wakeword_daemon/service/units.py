"""Installs and removes the units of a user's service manager."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from wakeword_daemon import resources, xdg
from wakeword_daemon.errors import WakewordError
from wakeword_daemon.storage import write_atomically

UNITS = ("wakeword.service", "wakeword.socket")
_COMMAND = "%h/.local/bin/wakeword"


class ServiceError(WakewordError):
    """The service manager is not there, or a request to it failed."""


def install() -> list[Path]:
    """Write, enable and start the units; return their paths.

    Raises:
        ServiceError: a unit cannot be written, or a request to the manager failed.

    """
    paths = [_folder() / unit for unit in UNITS]
    _systemctl("show-environment")  # fails before anything is written if no manager runs
    for path in paths:
        text = (resources.units() / path.name).read_text(encoding="utf-8")
        try:
            write_atomically(path, text.replace(_COMMAND, _command()).encode())
        except OSError as error:
            raise ServiceError(f"cannot write {path}: {error.strerror}") from error
    _systemctl("daemon-reload")
    _systemctl("enable", *UNITS)
    # Restarted, not started: an older version may be running.
    _systemctl("restart", *reversed(UNITS))
    return paths


def uninstall() -> list[Path]:
    """Stop, disable and remove the units; return the paths that were removed.

    Raises:
        ServiceError: a request to the manager failed.

    """
    paths = [path for path in (_folder() / unit for unit in UNITS) if path.exists()]
    if paths:
        _systemctl("disable", "--now", *(path.name for path in paths))
        for path in paths:
            path.unlink()
        _systemctl("daemon-reload")
    return paths


def status() -> int:
    """Show the manager's status of the units; return its exit code, 0 if they are active."""
    return _run("status", "--no-pager", *UNITS).returncode


def _folder() -> Path:
    """Return where a user's own units are."""
    return xdg.config_home() / "systemd/user"


def _command() -> str:
    """Return the command line of this installation, quoted as systemd.service(5) wants it."""
    script = Path(sys.executable).parent / "wakeword"
    parts = [str(script)] if script.exists() else [sys.executable, "-m", "wakeword_daemon"]
    return " ".join(f'"{part}"'.replace("%", "%%").replace("$", "$$") for part in parts)


def _systemctl(*arguments: str) -> None:
    done = _run(*arguments, capture=True)
    if done.returncode:
        reason = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ServiceError(f"systemctl --user {arguments[0]} failed: {reason[0]}")


def _run(*arguments: str, capture: bool = False) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemctl") is None:
        raise ServiceError(
            "this machine has no systemd; let its service manager start `wakeword run`"
        )
    return subprocess.run(
        ["systemctl", "--user", *arguments], check=False, capture_output=capture, text=True
    )
