"""`wakeword cache`: show what training keeps for later use, and clear it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from wakeword_daemon import xdg
from wakeword_daemon.errors import WakewordError
from wakeword_daemon.training.data import cachelist

if TYPE_CHECKING:
    import argparse

_EXAMPLES = """examples:
  wakeword cache                               what there is, the largest first
  wakeword cache --clear "variants"
  wakeword cache --clear "speech/*hey_nova*"   everything that matches a pattern
  wakeword cache --clear "*"                   everything, downloaded voices too

What you clear is made again when training needs it; only kokoro must come from `make voices`.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--clear",
        action="append",
        default=[],
        metavar="NAME",
        help="remove this; may be given more than once",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per entry")
    parser.epilog = _EXAMPLES


def run(args: argparse.Namespace) -> int:
    """List the cache, or clear parts of it."""
    folder = xdg.cache_home() / "wakeword"
    kept = cachelist.entries(folder)
    for pattern in args.clear:
        found = cachelist.matching(kept, pattern)
        if not found:
            raise WakewordError(f"{folder} has nothing named {pattern}; `wakeword cache` lists it")
        for one in found:
            cachelist.clear(one)
            if not args.json:
                print(f"removed {one.name}, {_size(one.bytes)}")
        kept = cachelist.entries(folder)
    if args.json:
        for one in kept:
            entry = {"name": one.name, "bytes": one.bytes, "changed": one.changed}
            print(json.dumps(entry))
        return 0
    if not args.clear:
        for one in sorted(kept, key=lambda one: -one.bytes):
            day = time.strftime("%Y-%m-%d", time.localtime(one.changed))
            print(f"{_size(one.bytes):>9}  {day}  {one.name}")
    print(f"{_size(sum(one.bytes for one in kept)):>9}  in {folder}")
    return 0


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"  # noqa: PLR2004 - units
