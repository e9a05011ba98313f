"""`wakeword status`: shows the status of a running daemon."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from wakeword_daemon.cli import _arguments
from wakeword_daemon.counts import counted
from wakeword_daemon.events.client import read_status

if TYPE_CHECKING:
    import argparse

    from wakeword_daemon.events.protocol import Detection, Status, Subscriber


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--json", action="store_true", help="everything, as one JSON object")
    _arguments.add_address(parser)
    parser.epilog = (
        "The exit code is 0 if the daemon listens, and 1 if it hears nothing or there is none."
    )


def run(args: argparse.Namespace) -> int:
    """Print the daemon's status."""
    status = read_status(args.socket, token=args.token)
    if args.json:
        print(msgspec.json.encode(status).decode())
    else:
        for name, value in _rows(status):
            print(f"{name:15} {value}")
    return 0 if status.state == "listening" else 1


def _rows(status: Status) -> list[tuple[str, str]]:
    reason = f": {status.reason}" if status.reason else ""
    rate = f" at {status.rate} Hz" if status.rate else ""
    capture = status.capture
    share = 100 * status.cpu / max(status.uptime, 1)
    return [
        ("state", status.state + reason),
        ("device", (status.device or "none") + rate),
        *(("problem", f"{one.name}: {one.text}") for one in status.problems),
        ("words", ", ".join(status.words)),
        ("last heard", _detection(status.last_detection)),
        ("events", str(status.sequence)),
        ("engine", f"step in {status.step}"),
        ("hops", f"{status.hops}, {counted(status.backlog, 'sample')} behind"),
        ("missing audio", f"{counted(status.gaps, 'gap')}, {counted(status.lost, 'sample')}"),
        (
            "device trouble",
            f"{counted(capture.overflows, 'overrun')}, {counted(capture.reopened, 'reopening')}",
        ),
        ("subscribers", "; ".join(_subscriber(one) for one in status.subscribers) or "none"),
        ("memory", f"{status.rss / 1e6:.1f} MB"),
        ("CPU", f"{status.cpu:.2f} s, {share:.1f} % of a core"),
        ("up for", str(timedelta(seconds=int(status.uptime)))),
        ("process", str(status.pid)),
    ]


def _detection(detection: Detection | None) -> str:
    if detection is None:
        return "nothing yet"
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(detection.wall_time))
    return f"{detection.name} at {when}, score {detection.score:.3f}"


def _subscriber(subscriber: Subscriber) -> str:
    queued = f", {counted(subscriber.queued, 'event')} behind" if subscriber.queued else ""
    return f"{subscriber.peer}{queued}"
