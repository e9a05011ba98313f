"""`wakeword words`: the wake words that are configured or ship with the package."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from wakeword_daemon.cli import _options
from wakeword_daemon.engine import load_model
from wakeword_daemon.errors import ModelError
from wakeword_daemon.resources import find_model, shipped_models
from wakeword_daemon.service.config import WordSection

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    _options.add_config(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.epilog = "Words the daemon listens for are marked with *."


def run(args: argparse.Namespace) -> int:
    """List the words; a model that cannot be loaded is told and the others are still listed."""
    configured = _options.read_config(args).words
    failed = False
    for name in sorted({*configured, *shipped_models()}):
        try:
            word = _describe(name, configured.get(name))
        except ModelError as error:
            print(f"wakeword: {name}: {error}", file=sys.stderr)
            failed = True
        else:
            print(json.dumps(word) if args.json else _line(word))
    return 1 if failed else 0


def _describe(name: str, section: WordSection | None) -> dict[str, Any]:
    settings = section or WordSection()
    path = find_model(settings.model or name)
    model = load_model(path)
    return {
        "name": name,
        "phrase": model.phrase,
        "language": model.card.language,
        "model": model.model_id,
        "threshold": settings.threshold or model.threshold,
        "configured": section is not None,
        "bytes": path.stat().st_size,
        "path": str(path),
    }


def _line(word: dict[str, Any]) -> str:
    mark = "*" if word["configured"] else " "
    kilobytes = word["bytes"] / 1000
    return (
        f"{mark} {word['name']:12} “{word['phrase']}” ({word['language']})  threshold"
        f" {word['threshold']:.3f}  {kilobytes:.0f} kB  {word['path']}"
    )
