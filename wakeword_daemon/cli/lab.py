"""`wakeword lab`: experiments that make a word's network smaller, and their table."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wakeword_daemon import xdg
from wakeword_daemon.cli import _arguments, _extras
from wakeword_daemon.counts import counted

if TYPE_CHECKING:
    import argparse

_EXAMPLES = """examples:
  wakeword lab docs/lab/recipes --data recordings --word happy
  wakeword lab docs/lab/recipes --data speech_commands_v0.01 --word sheila --runs runs/sheila
  wakeword lab teacher.yaml attention.yaml --data recordings --word happy --output attention
  torchrun --nproc-per-node 4 -m -- wakeword_daemon lab docs/lab/recipes --data DIR --word happy

A recipe is a YAML file that declares one experiment; docs/lab/recipes has examples of every kind.
The folder of recordings is laid out as for `wakeword train`. Results are kept in the folder of
runs: give the same command again to resume, and finished recipes are not run again.

Below the table is a check of every model file. On all validation clips the streaming network and
the engine must give the same probabilities and decisions as the offline network with the file's
weights, or the command fails. The table also says how much quantizing changed them.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "recipes", nargs="+", type=Path, metavar="RECIPE", help="a recipe, or a folder of them"
    )
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="the folder of recordings"
    )
    parser.add_argument(
        "--word", required=True, help="the word, as in the manifest or folder of recordings"
    )
    parser.add_argument(
        "--runs",
        type=Path,
        metavar="DIR",
        help="folder for runs and results (default: runs/lab/WORD)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder for table.md, table.json and the pictures (default: that of --runs)",
    )
    parser.add_argument(
        "--seed",
        type=_arguments.whole_number,
        default=0,
        metavar="N",
        help="seed of the split of the recordings (default: 0)",
    )
    parser.add_argument(
        "--measure-again",
        action="store_true",
        help="measure finished runs again, for example on another machine, without training",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per run")
    parser.epilog = _EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Run the recipes, then write the table and the pictures."""
    try:
        from wakeword_daemon.lab import pictures, table  # noqa: PLC0415
        from wakeword_daemon.lab.recipe import find_recipes  # noqa: PLC0415
        from wakeword_daemon.lab.runner import LabJob, Laboratory  # noqa: PLC0415
        from wakeword_daemon.training.fit import distributed  # noqa: PLC0415 - only this pays for torch
        from wakeword_daemon.training.runfolder import check_folder  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise _extras.missing("the laboratory", error) from None
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    recipes = find_recipes(args.recipes)
    folder = args.runs or Path("runs/lab") / args.word
    output = args.output or folder
    job = LabJob(args.word, args.data, folder, xdg.cache_home() / "wakeword", args.seed)
    check_folder(output)
    with distributed.joined() as processes:
        try:
            show = _print_json if args.json else _print_run
            results = Laboratory(job, processes).run(recipes, show, again=args.measure_again)
        except KeyboardInterrupt:
            print(
                f"\ninterrupted; repeat the command to resume {folder}",
                file=sys.stderr,
            )
            raise
        if processes.first:
            rows = table.rows(results)
            table.write(rows, output)
            pictures.draw(rows, output)
            if not args.json:
                print(f"{output / table.MARKDOWN}: {counted(len(rows), 'row')}")
    return 0


def _print_json(name: str, result: dict[str, Any]) -> None:
    print(json.dumps({"name": name} | result), flush=True)


def _print_run(name: str, result: dict[str, Any]) -> None:
    print(
        f"{name}: {result['parameters']:,} parameters, {result['file_bytes']:,} bytes, "
        f"{result['macs']:,} MACs, clip metric {result['clip_metric']:.2e}",
        flush=True,
    )
