"""`wakeword train`: a wake word from recordings."""

from __future__ import annotations

import argparse
import logging
import re
import sys
from pathlib import Path
from typing import Any

import yaml

from wakeword_daemon import resources
from wakeword_daemon.cli import _arguments, _options
from wakeword_daemon.errors import TrainingError

_EXAMPLES = """examples:
  wakeword train jarvis --data recordings --output models/jarvis.safetensors
  wakeword train smart_mirror --data recordings --epochs 30
  wakeword train alexa --data recordings --fold 1/4
  wakeword train sheila --data speech_commands_v0.01 --synthetic 0
  torchrun --nproc-per-node 4 -m -- wakeword_daemon train jarvis --data recordings

The folder holds a manifest.csv (columns path, word, speaker, split, seconds, source; split is train
or val, word is empty for other speech, paths under noise/ are noise), or it is a Speech Commands
folder. An interrupted run goes on where it was when the same command is given again.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("word", help="the word as the recordings' manifest or folder names it")
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="the folder of recordings"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="the model file (default: WORD.safetensors)"
    )
    parser.add_argument(
        "--phrase", help="the word as it is written (default: WORD, with spaces for _)"
    )
    parser.add_argument(
        "--run", type=Path, metavar="DIR", help="checkpoints and metrics (default: runs/WORD)"
    )
    parser.add_argument(
        "--epochs",
        type=_arguments.positive_int,
        default=16,
        metavar="N",
        help="epochs of 75 batches of 128 sequences (default: 16)",
    )
    parser.add_argument(
        "--seed",
        type=_arguments.whole_number,
        default=0,
        metavar="N",
        help="of everything drawn at random (default: 0)",
    )
    parser.add_argument(
        "--synthetic",
        type=_arguments.whole_number,
        default=400,
        metavar="N",
        help="synthetic takes to add by espeak-ng, flite and festival (default: 400)",
    )
    parser.add_argument(
        "--fold",
        type=_fold,
        metavar="K/N",
        help="speaker-wise cross-validation: validate with the K-th of N groups of the training "
        "speakers, and leave the validation split alone",
    )
    parser.epilog = _EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Train, and print a line of figures for each epoch."""
    if not re.fullmatch(r"[^\W_]\w*", args.word):
        raise TrainingError(f"{args.word!r} is no name of a word: letters, digits and _ make one")
    try:
        from wakeword_daemon.training import distributed, word  # noqa: PLC0415 - nothing else pays for torch
        from wakeword_daemon.training.trainer import TrainingSettings  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise TrainingError(
            f"training needs {error.name}: pip install 'wakeword-daemon[train]'"
        ) from None
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    part = f"-fold{args.fold[0] + 1}of{args.fold[1]}" if args.fold else ""
    folder = args.run or Path("runs") / f"{args.word}{part}"
    output = args.output or (folder if part else Path()) / f"{args.word}.safetensors"
    order = word.Order(
        word=args.word,
        phrase=args.phrase or args.word.replace("_", " "),
        data=args.data,
        output=output,
        run=folder,
        cache=_options.cache_folder(),
        synthetic=args.synthetic,
        fold=args.fold,
        licences=yaml.safe_load((resources.root() / "models" / "sources.yaml").read_text()),
        settings=TrainingSettings(epochs=args.epochs, seed=args.seed),
        command=_command(args),
    )
    try:
        with distributed.joined() as processes:
            results = word.train_word(order, _print_epoch, processes)
    except KeyboardInterrupt:
        print(f"\ninterrupted; the same command goes on from {folder}", file=sys.stderr)
        raise
    if results is None:  # another process speaks for all
        return 0
    final = results.measured.final["clean"]
    default = final.at_threshold(results.threshold)
    print(
        f"{output}: misses {default.miss_rate:.1%} of {len(final.takes)} takes at "
        f"{default.false_accepts_per_hour:.2f} false accepts an hour "
        f"({final.hours:.2f} h); the card is {output.with_suffix('.md')}"
    )
    return 0


def _fold(text: str) -> tuple[int, int]:
    """Read K/N, K from 1 to N, as an index from 0 and a count."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]) or int(match[2]) < 2:  # noqa: PLR2004
        raise argparse.ArgumentTypeError(f"{text!r} is not like 1/4, the first of four groups")
    return int(match[1]) - 1, int(match[2])


def _command(args: argparse.Namespace) -> str:
    phrase = f" --phrase '{args.phrase}'" if args.phrase else ""
    fold = f" --fold {args.fold[0] + 1}/{args.fold[1]}" if args.fold else ""
    return (
        f"wakeword train {args.word} --data DIR --epochs {args.epochs} --seed {args.seed}"
        f" --synthetic {args.synthetic}{phrase}{fold}"
    )


def _print_epoch(row: dict[str, Any]) -> None:
    misses = "  ".join(
        f"{name.removeprefix('miss_at_')}/h: {value:.1%}"
        for name, value in row.items()
        if name.startswith("miss_at_")
    )
    print(f"epoch {row['epoch']:3}  loss {row['loss']:.4f}  missed at {misses}", flush=True)
