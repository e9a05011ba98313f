"""`wakeword words`: lists the wake words, or adds one of your own to the config."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wakeword_daemon import config
from wakeword_daemon.cli import _arguments
from wakeword_daemon.config import WordSection
from wakeword_daemon.counts import counted
from wakeword_daemon.engine import read_model
from wakeword_daemon.engine.modelfile import DEFAULT_TARGET
from wakeword_daemon.errors import ConfigError, WakewordError
from wakeword_daemon.events import client
from wakeword_daemon.names import plain_name
from wakeword_daemon.resources import find_model, shipped_models
from wakeword_daemon.words import word_settings

if TYPE_CHECKING:
    import argparse

_EXAMPLES = """examples:
  wakeword words
  wakeword words --points   also what each threshold costs
  wakeword words add hey_nova.safetensors

A * marks the words that the daemon listens for. To choose a threshold by its false accepts, put
this into the config:
  words: {jarvis: {sensitivity: 0.25 false accepts/hour}}

`add` writes a word into the config and changes nothing else in it. If your daemon is running, it
reads the config again.
"""

_PATIENCE = 15.0
"""Seconds within which a daemon has read its config again."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "action", nargs="?", choices=["add"], help="add a word to the config (default: list them)"
    )
    parser.add_argument("model", nargs="?", type=Path, metavar="MODEL", help="the model file")
    _arguments.add_config(parser)
    _arguments.add_unix_socket(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object per word")
    parser.add_argument(
        "--points", action="store_true", help="show misses and false accepts at other thresholds"
    )
    parser.epilog = _EXAMPLES


def run(args: argparse.Namespace) -> int:
    """List the words, and report those that cannot be used; or add one."""
    if args.action == "add":
        if args.model is None:
            raise ConfigError("say which model to add: wakeword words add MODEL")
        return _add(args)
    read = _arguments.read_config(args).words
    configured = {plain_name(name): section for name, section in read.items()}
    failed = False
    for name in sorted({*configured, *shipped_models()}):
        try:
            word = _describe(name, configured.get(name))
        except WakewordError as error:
            print(f"wakeword: {name}: {error}", file=sys.stderr)
            failed = True
            continue
        if args.json:
            print(json.dumps(word))
            continue
        print(_line(word))
        if args.points:
            print("\n".join(_table(word)))
    return 1 if failed else 0


def _add(args: argparse.Namespace) -> int:
    """Put a model into the config, and let the daemon on this machine read it."""
    model = read_model(args.model)
    model.self_test()
    path = config.add_word(args.config, model.name, args.model)
    print(f"{model.name} is in {path}")
    try:
        daemon = client.read_status(args.socket)
    except WakewordError:
        print("no daemon runs; `wakeword run` will hear it, or `wakeword service install`")
        return 0
    try:
        os.kill(daemon.pid, signal.SIGHUP)
    except (PermissionError, ProcessLookupError):
        print("the daemon is another user's; it hears the word when it reads its config again")
        return 0
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        with contextlib.suppress(WakewordError):
            if model.name in client.read_status(args.socket).words:
                print("the daemon listens for it now")
                return 0
        time.sleep(0.2)
    print(
        f"the daemon does not listen for it: its log says why, or it reads another config"
        f" than {path}",
        file=sys.stderr,
    )
    return 1


def _describe(name: str, section: WordSection | None) -> dict[str, Any]:
    settings = section or WordSection()
    path = find_model(settings.model or name)
    model = read_model(path)
    return {
        "name": name,
        "phrase": model.phrase,
        "language": model.card.language,
        "model": model.model_id,
        "threshold": model.threshold_for(word_settings(settings)),
        "default": model.threshold,
        "sensitivity": settings.sensitivity,
        "configured": section is not None,
        "points": [asdict(point) for point in model.card.operating_points],
        "takes": model.card.takes,
        "hours": model.card.hours,
        "bytes": path.stat().st_size,
        "path": str(path),
    }


def _line(word: dict[str, Any]) -> str:
    mark = "*" if word["configured"] else " "
    kilobytes = word["bytes"] / 1000
    return (
        f"{mark} {word['name']:12} “{word['phrase']}” ({word['language']})  threshold"
        f" {word['threshold']:.6g}  {kilobytes:.0f} kB  {word['path']}"
    )


def _table(word: dict[str, Any]) -> list[str]:
    if not word["points"]:
        return ["    this model was never measured", ""]
    rows = [
        f"    {point['target']:11g}  {point['threshold']:9.6f}  {point['miss_rate']:6.1%}"
        f"  {point['false_accepts_per_hour']:18.2f}"
        for point in word["points"]
    ]
    rule = (
        f"    a sensitivity up to {DEFAULT_TARGET:g} gets at least the default threshold,"
        f" {word['default']:.6g}; a higher one gets at most that"
    )
    takes = counted(word["takes"], "take")
    return [
        f"    measured on {takes} and {word['hours']:.1f} h of other speech:",
        "    sensitivity  threshold  missed  false accepts/hour",
        *rows,
        rule,
        "",
    ]
