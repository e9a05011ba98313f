"""`wakeword train`: trains a wake word from recordings."""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from wakeword_daemon import resources, xdg
from wakeword_daemon.cli import _arguments, _extras
from wakeword_daemon.errors import TrainingError

if TYPE_CHECKING:
    from wakeword_daemon.training.fit.trainer import TrainingSettings

_EXAMPLES = """examples:
  wakeword train jarvis --data recordings --output models/jarvis.safetensors
  wakeword train smart_mirror --data recordings --epochs 96
  wakeword train alexa --data recordings --folds 5
  wakeword train sheila --data speech_commands_v0.01 --synthetic 0
  torchrun --nproc-per-node 4 -m -- wakeword_daemon train jarvis --data recordings

The folder holds a manifest.csv (columns path, word, speaker, split, seconds, source; split is train
or val, word is empty for other speech, paths under noise/ are noise), or it is a Speech Commands
folder. Give the same command again to resume an interrupted run.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("word", help="the word, as in the manifest or folder of recordings")
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="the folder of recordings"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="the model file (default: WORD.safetensors), or the report on folds (default: "
        "WORD-folds.md)",
    )
    parser.add_argument(
        "--phrase", help="the spelling of the word (default: WORD, with spaces for _)"
    )
    parser.add_argument(
        "--run",
        type=Path,
        metavar="DIR",
        help="folder for checkpoints and metrics (default: runs/WORD)",
    )
    parser.add_argument(
        "--epochs",
        type=_arguments.positive_int,
        default=64,
        metavar="N",
        help="epochs of 75 batches of 128 sequences (default: 64)",
    )
    parser.add_argument(
        "--from",
        dest="start",
        type=Path,
        metavar="MODEL",
        help="start from the weights of this model file, of the same word or another, instead of "
        "from chance; --epochs can then be fewer",
    )
    parser.add_argument(
        "--seed",
        type=_arguments.whole_number,
        default=0,
        metavar="N",
        help="seed of all random choices (default: 0)",
    )
    parser.add_argument(
        "--peers",
        type=_units,
        metavar="UNITS,...",
        help="GRU units of the networks that train side by side and learn from each other; the "
        "first is the result (default: 64,64,64, and 64 alone with --from)",
    )
    parser.add_argument(
        "--device",
        metavar="NAME",
        help="what computes: cpu, or a graphics card as torch names it, such as cuda (default: a "
        "card if there is one)",
    )
    parser.add_argument(
        "--workers",
        type=_arguments.whole_number,
        metavar="N",
        help="processes that compose sequences while the network trains; 0 for none (default: 1 "
        "where there are two cores or more)",
    )
    parser.add_argument(
        "--synthetic",
        type=_arguments.whole_number,
        default=400,
        metavar="N",
        help="takes to add by espeak-ng, flite and festival, with other speech in proportion; 0 "
        "for no synthetic speech at all (default: 400)",
    )
    parser.add_argument(
        "--folds",
        type=_groups,
        metavar="N",
        help="speaker-wise cross-validation instead of a model: N times, train without one of N "
        "groups of the training speakers; the validation split is left alone",
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object per epoch, and one at the end"
    )
    parser.epilog = _EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Train, and print a line of figures for each epoch."""
    if not re.fullmatch(r"[^\W_]\w*", args.word):
        raise TrainingError(f"{args.word!r} is no name of a word: letters, digits and _ make one")
    try:
        from wakeword_daemon.training import folds, word  # noqa: PLC0415 - nothing else pays for torch
        from wakeword_daemon.training.fit import distributed  # noqa: PLC0415
        from wakeword_daemon.training.fit.trainer import (  # noqa: PLC0415
            FINE_TUNING_RATE,
            TrainingSettings,
            pick_device,
        )
    except ModuleNotFoundError as error:
        raise _extras.missing("training", error) from None
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    name = f"{args.word}-folds" if args.folds else args.word
    folder = args.run or Path("runs") / name
    output = args.output or Path(f"{name}.md" if args.folds else f"{name}.safetensors")
    settings = TrainingSettings(epochs=args.epochs, seed=args.seed)
    if args.start:
        settings = replace(settings, rate=FINE_TUNING_RATE, peers=(64,))
    if args.peers:
        settings = replace(settings, peers=args.peers)
    job = word.TrainingJob(
        word=args.word,
        phrase=args.phrase or args.word.replace("_", " "),
        data=args.data,
        output=output,
        run=folder,
        cache=xdg.cache_home() / "wakeword",
        synthetic=args.synthetic,
        fold=None,
        licences=yaml.safe_load((resources.root() / "models" / "sources.yaml").read_text()),
        settings=settings,
        command=_command(args, settings),
        start=args.start,
        device=pick_device(args.device),
        workers=_workers() if args.workers is None else args.workers,
    )
    on_epoch = _print_json if args.json else _print_epoch
    try:
        with distributed.joined() as processes:
            if args.folds:
                measured = folds.cross_validate(job, args.folds, on_epoch, processes)
            else:
                trained = word.train_word(job, on_epoch, processes)
                measured = trained.measured if trained else None
    except KeyboardInterrupt:
        print(f"\ninterrupted; repeat the command to resume {folder}", file=sys.stderr)
        raise
    if measured is None:  # another process speaks for all
        return 0
    test = measured.test["clean"]
    default = test.at_threshold(word.DEFAULT_THRESHOLD)
    if args.json:
        _print_json(
            {
                "output": str(output),
                "takes": len(test.takes),
                "miss_rate": default.miss_rate,
                "hours": test.hours,
                "false_accepts_per_hour": default.false_accepts_per_hour,
            }
        )
        return 0
    told = "" if args.folds else f"; the card is {output.with_suffix('.md')}"
    print(
        f"{output}: misses {default.miss_rate:.1%} of {len(test.takes)} takes at "
        f"{default.false_accepts_per_hour:.2f} false accepts an hour "
        f"({test.hours:.2f} h){told}"
    )
    return 0


def _workers() -> int:
    """Return how many processes compose sequences where nobody says: one, if a core is free."""
    alone = "RANK" not in os.environ  # torchrun gives every core a process already
    return 1 if alone and len(os.sched_getaffinity(0)) > 1 else 0


def _units(text: str) -> tuple[int, ...]:
    """Read the units of each of the networks that train together."""
    return tuple(_arguments.positive_int(part) for part in text.split(","))


def _groups(text: str) -> int:
    """Read a count of groups, at least 2."""
    groups = _arguments.positive_int(text)
    if groups < 2:  # noqa: PLR2004 - one would be trained without anybody
        raise argparse.ArgumentTypeError("at least 2 groups are needed, one to train on")
    return groups


def _command(args: argparse.Namespace, settings: TrainingSettings) -> str:
    phrase = f" --phrase '{args.phrase}'" if args.phrase else ""
    folds = f" --folds {args.folds}" if args.folds else ""
    start = f" --from {args.start.name}" if args.start else ""
    peers = ",".join(map(str, settings.peers))
    return (
        f"wakeword train {args.word} --data DIR --epochs {args.epochs} --seed {args.seed}"
        f" --peers {peers} --synthetic {args.synthetic}{start}{phrase}{folds}"
    )


def _print_json(row: dict[str, Any]) -> None:
    print(json.dumps(row), flush=True)


def _print_epoch(row: dict[str, Any]) -> None:
    misses = "  ".join(
        f"{name.removeprefix('miss_at_')}/h: {value:.1%}"
        for name, value in row.items()
        if name.startswith("miss_at_")
    )
    print(f"epoch {row['epoch']:3}  loss {row['loss']:.4f}  missed at {misses}", flush=True)
