"""`wakeword words`: lists the configured wake words and those that ship with the package."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from wakeword_daemon.cli import _arguments
from wakeword_daemon.config import WordSection
from wakeword_daemon.engine import read_model
from wakeword_daemon.engine.modelfile import DEFAULT_TARGET
from wakeword_daemon.errors import WakewordError
from wakeword_daemon.names import plain_name
from wakeword_daemon.resources import find_model, shipped_models
from wakeword_daemon.words import word_settings

if TYPE_CHECKING:
    import argparse

_EXAMPLES = """examples:
  wakeword words
  wakeword words --points   also what each threshold costs, to choose one by

A * marks the words that the daemon listens for. To choose by false accepts, put into the config:
  words: {jarvis: {sensitivity: 0.25 false accepts/hour}}
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    _arguments.add_config(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object per word")
    parser.add_argument(
        "--points", action="store_true", help="show misses and false accepts at other thresholds"
    )
    parser.epilog = _EXAMPLES


def run(args: argparse.Namespace) -> int:
    """List the words; report those that cannot be used."""
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
    return [
        f"    measured on {word['takes']} takes and {word['hours']:.1f} h of other speech:",
        "    sensitivity  threshold  missed  false accepts/hour",
        *rows,
        rule,
        "",
    ]
