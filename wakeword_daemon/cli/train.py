"""`wakeword train`: trains a wake word, from its phrase alone or from recordings."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import re
import shlex
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from wakeword_daemon import resources, xdg
from wakeword_daemon.cli import _arguments, _extras
from wakeword_daemon.errors import TrainingError

if TYPE_CHECKING:
    from wakeword_daemon.training.fit.trainer import TrainingSettings
    from wakeword_daemon.training.plan import TrainingJob

_EXAMPLES = """examples:
  wakeword train "hey nova"                        nothing but the phrase: synthetic voices say it
  wakeword train "hey nova" --preview              show and play how they will say it
  wakeword train "hey nova" --pronunciation "hey no vah"
  wakeword train "hey nova" --takes my_recordings  with your own recordings, one or many
  wakeword train jarvis --data recordings --output models/jarvis.safetensors
  wakeword train alexa --data recordings --folds 5
  wakeword train jarvis --data recordings --more clips
  wakeword train sheila --data speech_commands_v0.01 --synthetic 0
  torchrun --nproc-per-node 4 -m -- wakeword_daemon train jarvis --data recordings

--data is a folder with a manifest.csv (columns path, word, speaker, split, seconds, source; split
is train or val, word is empty for other speech, paths under noise/ are noise), or a Speech Commands
folder. If it has too few people to measure the word on, or is not given, synthetic voices stand in.
Give the same command again to resume an interrupted run.

--more improves a word: it starts from the model in --output, or else from the one that ships, and
measures both on the same recordings. If the new one is worse, it is not written, and the exit code
is 1.

Exit code 3 says that the word was trained, but should not be used; no model is written then.
"""

_EPOCHS, _EPOCHS_FOR_PEOPLE = 14, 48
"""Epochs if synthetic voices stand in for people, and if people say the word."""
_EPOCHS_OF_MORE = 12
_BASES = ("jarvis", "alexa", "view_glass", "smart_mirror")
"""Shipped words from whose networks a phrase is trained where there are no recordings of people:
they have learned from people, and differ, so that their mean is better than each."""
_STARTS = 3
"""How many of them; the word itself is none."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("phrase", help='the word or phrase, such as "hey nova"')
    parser.add_argument(
        "--takes",
        type=Path,
        metavar="DIR",
        help="your own recordings of it: sound files, in a folder for each voice if there are "
        "several, or what `wakeword record` wrote; some of them are kept for measuring",
    )
    parser.add_argument(
        "--pronunciation",
        metavar="TEXT",
        help="a spelling for English voices to read, if they say the phrase wrong, such as: no vah",
    )
    parser.add_argument(
        "--preview",
        action="store_true",
        help="show how the phrase is pronounced, play it in several voices, and end",
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="recordings of many people, with other speech and noise",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="the model file (default: PHRASE.safetensors, with _ for spaces), or the report on "
        "folds (default: PHRASE-folds.md)",
    )
    parser.add_argument(
        "--run",
        type=Path,
        metavar="DIR",
        help="folder for checkpoints and metrics (default: runs/PHRASE)",
    )
    parser.add_argument(
        "--epochs",
        type=_arguments.positive_int,
        metavar="N",
        help=f"epochs of 300 batches of 32 sequences (default: {_EPOCHS}; "
        f"{_EPOCHS_FOR_PEOPLE} with --data; {_EPOCHS_OF_MORE} with --more)",
    )
    parser.add_argument(
        "--from",
        dest="starts",
        type=Path,
        action="append",
        default=[],
        metavar="MODEL",
        help="start from the weights of this model file, of the same word or another, instead of "
        "random weights; then fewer --epochs are enough. If given several times, as many networks "
        "train side by side (default: random weights with --data; otherwise three of the words "
        "that ship)",
    )
    parser.add_argument(
        "--teacher",
        dest="teachers",
        type=Path,
        action="append",
        default=[],
        metavar="MODEL",
        help="learn from this model file of the same word too, whose network may be wider; may be "
        "given several times",
    )
    parser.add_argument(
        "--more",
        type=Path,
        metavar="LABELLED",
        help="improve a word with labelled clips, which `wakeword review --export LABELLED` wrote",
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
        "first is the result (default: 64,64,64, or 64 for each --from)",
    )
    parser.add_argument(
        "--device",
        metavar="NAME",
        help="the device to train on: cpu, or a graphics card by its name in torch, such as cuda "
        "(default: a card if there is one)",
    )
    parser.add_argument(
        "--workers",
        type=_arguments.whole_number,
        metavar="N",
        help="processes that compose sequences while the network trains; 0 for none (default: 1 "
        "if there are two cores or more)",
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
        help="cross-validate by speaker instead of making a model: train N times, each time "
        "without one of N groups of the training speakers; the validation split is not used",
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object per epoch, and one at the end"
    )
    parser.epilog = _EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Train, and print the plan, a line of figures for each epoch, and the verdict."""
    name = re.sub(r"[\s-]+", "_", args.phrase.strip())
    if not re.fullmatch(r"[^\W_]\w*", name):
        raise TrainingError(f"{args.phrase!r} is not a phrase; use words of letters and digits")
    read_as = args.pronunciation or name.replace("_", " ")
    try:
        from wakeword_daemon.cli import _training  # noqa: PLC0415
        from wakeword_daemon.training import (  # noqa: PLC0415 - nothing else pays for torch
            folds,
            improve,
            plan,
            word,
        )
        from wakeword_daemon.training.data import progress  # noqa: PLC0415
        from wakeword_daemon.training.fit import distributed  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise _extras.missing("training", error) from None
    if args.preview:
        return _training.preview(read_as)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    job = _job(args, name, read_as)
    on_epoch = _print_json if args.json else _print_epoch
    try:
        with distributed.joined() as processes:
            if args.folds:
                measured = folds.cross_validate(job, args.folds, on_epoch, processes)
                return _training.say_folds(job, measured, as_json=args.json)
            planned = plan.plan_word(job)
            if processes.first:
                with contextlib.redirect_stdout(sys.stderr if args.json else sys.stdout):
                    _training.print_phrase(read_as, job.cache)
                    _training.print_plan(planned)
            with progress.plan(planned.stages):
                if job.more:
                    compared = partial(_training.say_comparison, as_json=args.json)
                    trained = improve.improve_word(job, on_epoch, compared, processes, planned)
                else:
                    trained = word.train_word(job, on_epoch, processes, planned)
    except KeyboardInterrupt:
        print(f"\ninterrupted; repeat the command to resume {job.run}", file=sys.stderr)
        raise
    if trained is None:  # another process speaks for all
        return 0
    return _training.say_verdict(job, trained, as_json=args.json)


def _job(args: argparse.Namespace, name: str, read_as: str) -> TrainingJob:
    """Return what the arguments ask for."""
    from wakeword_daemon.engine.modelfile import read_model  # noqa: PLC0415
    from wakeword_daemon.training import improve, plan  # noqa: PLC0415
    from wakeword_daemon.training.fit.trainer import (  # noqa: PLC0415
        FINE_TUNING_RATE,
        TrainingSettings,
        pick_device,
    )

    title = f"{name}-folds" if args.folds else name
    output = args.output or Path(f"{title}.md" if args.folds else f"{title}.safetensors")
    if args.more:
        starts, epochs = [_improved(args, name, output)], _EPOCHS_OF_MORE
        title = improve.name_of_run(name, starts[0], args.more)
    else:
        starts, epochs = _starts(args, name), _EPOCHS_FOR_PEOPLE if args.data else _EPOCHS
    settings = TrainingSettings(epochs=args.epochs or epochs, seed=args.seed)
    if starts:
        settings = replace(settings, peers=(64,) * len(starts))
    if any(read_model(start).name == name for start in starts):
        settings = replace(settings, rate=FINE_TUNING_RATE)
    if args.peers:
        settings = replace(settings, peers=args.peers)
    return plan.TrainingJob(
        word=name,
        phrase=name.replace("_", " "),
        read_as=read_as,
        data=args.data,
        takes=args.takes,
        output=output,
        run=args.run or Path("runs") / title,
        cache=xdg.cache_home() / "wakeword",
        synthetic=args.synthetic,
        fold=None,
        licences=yaml.safe_load((resources.root() / "models" / "sources.yaml").read_text()),
        settings=settings,
        command=_command(args, settings, starts),
        starts=tuple(starts),
        teachers=tuple(args.teachers),
        more=args.more,
        device=pick_device(args.device),
        workers=_workers() if args.workers is None else args.workers,
    )


def _improved(args: argparse.Namespace, name: str, output: Path) -> Path:
    """Return the model that --more is to improve."""
    if args.folds:
        raise TrainingError("--folds trains from chance, so it cannot be used with --more")
    if len(args.starts) > 1:
        raise TrainingError("--more improves one model, so --from can be given only once")
    if args.starts:
        return Path(args.starts[0])
    return output if output.exists() else resources.find_model(name)


def _starts(args: argparse.Namespace, name: str) -> list[Path]:
    """Return the models that training starts from."""
    if args.starts or args.data or args.peers:
        return list(args.starts)
    shipped = resources.shipped_models()
    return [shipped[base] for base in _BASES if base in shipped and base != name][:_STARTS]


def _workers() -> int:
    """Return the default number of processes that compose sequences: one, if a core is free."""
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


def _command(args: argparse.Namespace, settings: TrainingSettings, starts: list[Path]) -> str:
    parts = ["wakeword train", shlex.quote(args.phrase)]
    if args.data:
        parts.append("--data DIR")
    if args.takes:
        parts.append("--takes DIR")
    if args.pronunciation:
        parts.append(f"--pronunciation {shlex.quote(args.pronunciation)}")
    peers = ",".join(map(str, settings.peers))
    parts.append(f"--epochs {settings.epochs} --seed {args.seed} --peers {peers}")
    parts.append(f"--synthetic {args.synthetic}")
    parts += [f"--from {start.name}" for start in starts]
    parts += [f"--teacher {teacher.name}" for teacher in args.teachers]
    if args.more:
        parts.append("--more LABELLED")
    if args.folds:
        parts.append(f"--folds {args.folds}")
    return " ".join(parts)


def _print_json(row: dict[str, Any]) -> None:
    print(json.dumps(row), flush=True)


def _print_epoch(row: dict[str, Any]) -> None:
    misses = "  ".join(
        f"{name.removeprefix('miss_at_')}/h: {value:.1%}"
        for name, value in row.items()
        if name.startswith("miss_at_")
    )
    print(f"epoch {row['epoch']:3}  loss {row['loss']:.4f}  missed at {misses}", flush=True)
