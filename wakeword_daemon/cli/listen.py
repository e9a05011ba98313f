"""`wakeword listen`: a subscriber that prints detections, and on standard error how things are."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import msgspec

from wakeword_daemon.cli import _arguments
from wakeword_daemon.events.client import subscribe

if TYPE_CHECKING:
    import argparse

    from wakeword_daemon.events.protocol import Detection

_EXAMPLES = """examples:
  wakeword listen                          one line per detection, until Ctrl-C
  wakeword listen --json | while read -r event; do ...; done
  wakeword listen --count 1 --timeout 10   wait for one; exit code 1 if none came

It waits for a daemon that is not there yet, or went away and comes back; what was heard meanwhile
is printed then, as far as the daemon still has it. Standard error says where it is connected and
whether the daemon hears.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--json", action="store_true", help="one JSON object per detection")
    parser.add_argument(
        "--word", metavar="NAME", action="append", help="only this word; may be given again"
    )
    parser.add_argument(
        "--count", type=_arguments.positive_int, metavar="N", help="end after N detections"
    )
    parser.add_argument(
        "--timeout", type=_arguments.positive_float, metavar="S", help="end after S seconds"
    )
    _arguments.add_address(parser)
    parser.epilog = _EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Print detections; 1 if fewer came than were asked for."""
    logging.basicConfig(level=logging.INFO, format="wakeword: %(message)s")
    printed = 0
    heard = subscribe(args.socket, words=args.word, timeout=args.timeout, token=args.token)
    for detection in heard:
        line = msgspec.json.encode(detection).decode() if args.json else _line(detection)
        print(line, flush=True)
        printed += 1
        if printed == args.count:
            break
    return 0 if printed >= (args.count or 0) else 1


def _line(detection: Detection) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(detection.wall_time))
    return f"{clock}  {detection.name}  {detection.score:.3f}  {detection.level:.0f} dBFS"
