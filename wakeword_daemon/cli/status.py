"""`wakeword status`: how a running daemon is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from wakeword_daemon.cli import _arguments
from wakeword_daemon.events.client import request

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--json", action="store_true", help="everything, as one JSON object")
    _arguments.add_address(parser)
    parser.epilog = "Exit code 0: it listens; 1: it hears nothing, or no daemon is there."


def run(args: argparse.Namespace) -> int:
    """Ask the daemon and show its answer."""
    status = request("status", args.socket, token=args.token)
    if args.json:
        print(json.dumps(status))
    else:
        for name, value in _rows(status):
            print(f"{name:15} {value}")
    return 0 if status["state"] == "listening" else 1


def _rows(status: dict[str, Any]) -> list[tuple[str, str]]:
    reason = f": {status['reason']}" if status["reason"] else ""
    rate = f" at {status['rate']} Hz" if status["rate"] else ""
    last = status["last_detection"]
    heard = f"{last['name']}, score {last['score']:.3f}" if last else "nothing yet"
    return [
        ("state", status["state"] + reason),
        ("device", (status["device"] or "none") + rate),
        ("words", ", ".join(status["words"])),
        ("last heard", heard),
        ("events", str(status["sequence"])),
        ("hops", f"{status['hops']}, {status['backlog']} samples behind"),
        ("missing audio", f"{status['gaps']} gaps, {status['lost']} samples"),
        ("subscribers", "; ".join(_subscriber(one) for one in status["subscribers"]) or "none"),
        ("memory", f"{status['rss'] / 1e6:.1f} MB"),
        ("CPU", f"{status['cpu']:.2f} s in {status['uptime']:.0f} s"),
        ("process", str(status["pid"])),
    ]


def _subscriber(subscriber: dict[str, Any]) -> str:
    queued = f", {subscriber['queued']} events behind" if subscriber["queued"] else ""
    return f"{subscriber['peer']}{queued}"
