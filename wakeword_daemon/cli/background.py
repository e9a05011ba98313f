"""`wakeword background`: makes the speech and noise that all words are trained against."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING

from wakeword_daemon import xdg
from wakeword_daemon.cli import _arguments, _extras
from wakeword_daemon.counts import counted

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

_EXAMPLES = """examples:
  wakeword background                          once, before the first training
  wakeword background "hey nova"               also what sounds like this phrase
  wakeword background --download librispeech   download speech of real people too

`wakeword train` makes everything that is missing itself, so this only saves time later. If it is
interrupted, the same command continues. `wakeword cache` shows what there is.
"""

_COLLECTIONS = ("librispeech", "speech-commands")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "phrase", nargs="?", help="also make what sounds like this phrase, to train against"
    )
    parser.add_argument(
        "--download",
        choices=_COLLECTIONS,
        action="append",
        default=[],
        help="download recordings of people; words without --data are then trained against them and"
        " measured on them; may be given more than once",
    )
    parser.add_argument(
        "--synthetic",
        type=_arguments.positive_int,
        default=400,
        metavar="N",
        help="as for `wakeword train` (default: 400)",
    )
    parser.add_argument(
        "--seed",
        type=_arguments.whole_number,
        default=0,
        metavar="N",
        help="as for `wakeword train` (default: 0)",
    )
    parser.epilog = _EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Make what is missing, and download what was requested."""
    try:
        from wakeword_daemon.training import background  # noqa: PLC0415 - nothing else pays for torch
        from wakeword_daemon.training.data.progress import duration_here  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise _extras.missing("the background", error) from None
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    cache = xdg.cache_home() / "wakeword"
    for name in args.download:
        _fetch(name, cache)
    jobs = background.background_jobs(args.phrase, cache, synthetic=args.synthetic, seed=args.seed)
    cores = len(os.sched_getaffinity(0))
    missing = sum(job.missing() for job in jobs)
    seconds = sum(job.seconds() for job in jobs) / cores
    if missing:
        about = duration_here(seconds)
        print(f"{counted(missing, 'recording')} to make, about {about}", flush=True)
    try:
        background.make_background(jobs, cores, cache)
    except KeyboardInterrupt:
        print("\ninterrupted; repeat the command to go on", file=sys.stderr)
        raise
    print(f"{sum(job.count for job in jobs)} recordings are in {cache / 'speech'}")
    return 0


def _fetch(name: str, cache: Path) -> None:
    """Say what will be fetched, and fetch it."""
    from wakeword_daemon.training.data import datasets  # noqa: PLC0415

    one = datasets.COLLECTIONS[name]
    if not (cache / datasets.FOLDER / one.there).is_dir():
        print(f"{one.title}: {one.megabytes} MB, {one.licence}", flush=True)
        datasets.fetch(name, cache)
    print(f"{name} is in {cache / datasets.FOLDER / one.there}")
