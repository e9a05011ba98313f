"""`wakeword evaluate`: measures misses and false accepts of models on recordings."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wakeword_daemon import resources, xdg
from wakeword_daemon.cli import _arguments, _extras
from wakeword_daemon.cli._line import Line
from wakeword_daemon.engine.modelfile import read_model
from wakeword_daemon.storage import write_atomically

if TYPE_CHECKING:
    import argparse

    from wakeword_daemon.engine.modelfile import Model

_EXAMPLES = """examples:
  wakeword evaluate jarvis --data recordings
  wakeword evaluate alexa computer jarvis --data recordings --output before.md
  wakeword evaluate runs/new/jarvis.safetensors jarvis --data recordings --hours 0.5

The folder is laid out as for `wakeword train`. Each word is measured as people say it: alone, with
other speech just before or after, slowly, in a high voice, twice, in noise, in a room, through a
headset. The shipped models were trained on the split train, so only the split val shows how well
they work for strangers. If people say only the end of a phrase, such as “jarvis”, Kokoro says the
rest before it. One word takes a minute or two.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "models", nargs="+", metavar="MODEL", help="a shipped word, or the path to a model file"
    )
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="the folder of recordings"
    )
    parser.add_argument(
        "--split", choices=("val", "train"), default="val", help="the recordings to use (val)"
    )
    parser.add_argument(
        "--hours",
        type=_arguments.positive_float,
        metavar="H",
        help="count false accepts in at most so many hours of other speech (default: all)",
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write the tables here (default: print them)"
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object per model, with its figures at its default threshold",
    )
    parser.epilog = _EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Measure the models and write the tables."""
    try:
        from wakeword_daemon.training.measure import comparison  # noqa: PLC0415 - loads torch
    except ModuleNotFoundError as error:
        raise _extras.missing("measuring", error) from None
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    paths = [resources.find_model(reference) for reference in args.models]
    with Line(after=0, every=0) as line:
        line.show("reading recordings")
        evaluations = list(
            comparison.evaluate(
                _named(paths),
                args.data,
                xdg.cache_home() / "wakeword",
                split=args.split,
                hours=args.hours,
                on_done=lambda done: _progress(line, done),
            )
        )
    hours = f" --hours {args.hours:g}" if args.hours else ""
    command = f"wakeword evaluate {' '.join(args.models)} --data DIR --split {args.split}{hours}"
    text = comparison.write_evaluation(evaluations, command)
    if args.output:
        write_atomically(args.output, text.encode())
    if args.json:
        for one in evaluations:
            print(json.dumps(comparison.figures(one)))
    elif args.output:
        thresholds = [one.threshold for one in evaluations]
        print(comparison.side_by_side(evaluations, thresholds))
    else:
        print(text, end="")
    return 0


def _named(paths: list[Path]) -> dict[str, Model]:
    """Load models; name each by its word, or by its path if two have the same word."""
    models = [read_model(path) for path in paths]
    words = [model.card.name for model in models]
    return {
        word if words.count(word) == 1 else str(path): model
        for word, path, model in zip(words, paths, models, strict=True)
    }


def _progress(line: Line, done: str) -> None:
    if line.shows:
        line.show(f"measured {done}")
    else:
        print(f"measured {done}", file=sys.stderr, flush=True)
