"""`wakeword doctor`: finds what is wrong on this machine, and the command that fixes it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from wakeword_daemon.cli import _arguments
from wakeword_daemon.cli._line import Line
from wakeword_daemon.service.checkup import examine

if TYPE_CHECKING:
    import argparse

    from wakeword_daemon.service.checkup import Finding

_EPILOG = """It records from the microphone for a few seconds. Speak meanwhile, so that
it can judge the level.

Each check prints one line and, if something is wrong, the command that fixes it. The exit code is 1
if something keeps the daemon from hearing.
"""

_WAIT = "checking …"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print one JSON object per check")
    _arguments.add_config(parser)
    parser.epilog = _EPILOG


def run(args: argparse.Namespace) -> int:
    """Print each finding at once."""
    failed = False
    with Line(after=0, every=0) as line:
        line.show(_WAIT)
        for finding in examine(args.config):
            failed |= finding.verdict == "failure"
            line.wipe()
            _print(finding, as_json=args.json)
            line.show(_WAIT)
    return 1 if failed else 0


def _print(finding: Finding, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(finding)), flush=True)
        return
    print(f"{finding.verdict:8} {finding.subject:13} {finding.text}", flush=True)
    if finding.command:
        print(f"{'':22} fix it with: {finding.command}", flush=True)
