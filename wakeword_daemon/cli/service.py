"""`wakeword service`: installs the daemon as a service of this user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wakeword_daemon.service import units

if TYPE_CHECKING:
    import argparse

_EXAMPLES = """examples:
  wakeword service install      listen from now on, and after each login
  wakeword service status       show what systemd says; exit code 3 if the service does not run
  wakeword service uninstall    stop it, and remove what install added

To let it run while you are logged out: loginctl enable-linger
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("action", choices=["install", "uninstall", "status"], help="what to do")
    parser.epilog = _EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Install, remove or show the service, and print what was done."""
    match args.action:
        case "install":
            for path in units.install():
                print(f"installed {path}")
        case "uninstall":
            for path in units.uninstall():
                print(f"removed {path}")
        case _:
            return units.status()
    return 0
