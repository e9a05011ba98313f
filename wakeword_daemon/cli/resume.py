"""`wakeword resume`: open the microphone of a paused daemon again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wakeword_daemon.cli import _arguments
from wakeword_daemon.events import client

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    _arguments.add_unix_socket(parser)
    parser.epilog = (
        "The exit code is 0 if the daemon listens, and 1 if it hears nothing or there is none."
    )


def run(args: argparse.Namespace) -> int:
    """Open the microphone, and say whether anything is heard."""
    resumed = client.resume(socket=args.socket)
    print(resumed.state + (f": {resumed.reason}" if resumed.reason else ""))
    return 0 if resumed.state == "listening" else 1
