"""`wakeword pause`: close the microphone of a running daemon for a while."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from wakeword_daemon.cli import _arguments
from wakeword_daemon.events import client
from wakeword_daemon.events.protocol import LONGEST_PAUSE

if TYPE_CHECKING:
    from wakeword_daemon.events.protocol import Paused

_EXAMPLES = """examples:
  wakeword pause       until `wakeword resume`
  wakeword pause 30    for half an hour

The microphone is closed when the command returns. During a pause, `wakeword pause 60` makes it end
in an hour. The pause goes on if the daemon crashes or is restarted.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "minutes",
        type=_minutes,
        nargs="?",
        metavar="MINUTES",
        help="how long, up to a week (default: until `wakeword resume`)",
    )
    _arguments.add_unix_socket(parser)
    parser.epilog = _EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Close the microphone, and say until when."""
    print(_line(client.pause(args.minutes, socket=args.socket)))
    return 0


def _minutes(text: str) -> float:
    minutes = _arguments.positive_float(text)
    if minutes > LONGEST_PAUSE:
        raise argparse.ArgumentTypeError(f"{text} minutes are more than a week, {LONGEST_PAUSE}")
    return minutes


def _line(paused: Paused) -> str:
    if paused.until is None:
        return "paused until `wakeword resume`"
    return f"paused until {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(paused.until))}"
