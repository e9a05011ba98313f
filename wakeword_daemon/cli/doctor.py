"""`wakeword doctor`: finds what is wrong on this machine, and the command that fixes it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from wakeword_daemon.cli import _arguments
from wakeword_daemon.service.checkup import examine

if TYPE_CHECKING:
    import argparse

_EPILOG = """It records from the microphone for a few seconds. Speak meanwhile, so that
it can judge the level.

Each check prints one line and, if something is wrong, the command that fixes it. The exit code is 1
if something keeps the daemon from hearing.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print one JSON object per check")
    _arguments.add_config(parser)
    parser.epilog = _EPILOG


def run(args: argparse.Namespace) -> int:
    """Print each finding at once."""
    failed = False
    for finding in examine(args.config):
        failed |= finding.verdict == "failure"
        if args.json:
            print(json.dumps(asdict(finding)), flush=True)
            continue
        print(f"{finding.verdict:8} {finding.subject:13} {finding.text}", flush=True)
        if finding.command:
            print(f"{'':22} fix it with: {finding.command}", flush=True)
    return 1 if failed else 0
