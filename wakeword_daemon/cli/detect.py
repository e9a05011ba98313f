"""`wakeword detect`: wake words in recordings, as the daemon would have heard them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wakeword_daemon.audio import files
from wakeword_daemon.cli import _options
from wakeword_daemon.clock import seconds
from wakeword_daemon.errors import AudioError
from wakeword_daemon.words import Words, load_words

if TYPE_CHECKING:
    import argparse

_EXAMPLES = """examples:
  wakeword detect evening.flac
  wakeword detect --json --word jarvis *.wav
  wakeword detect --threshold 0.5 missed.ogg

One line per detection: file, time in seconds, word, score. Exit code 1: some file could not be
read; the others were still searched.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="WAV, FLAC, OGG or MP3 of any rate"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per detection")
    _options.add_word(parser)
    _options.add_threshold(parser)
    _options.add_config(parser)
    parser.epilog = _EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Search the files one after the other."""
    words = load_words(_options.read_config(args).words)
    failed = False
    for path in args.files:
        try:
            _search(path, words, as_json=args.json)
        except AudioError as error:
            print(f"wakeword: {error}", file=sys.stderr)
            failed = True
    return 1 if failed else 0


def _search(path: Path, words: Words, *, as_json: bool) -> None:
    detector = words.detector()
    for pcm in files.blocks(path):
        for detection in detector.push(pcm):
            time = round(seconds(detection.sample), 3)
            score = round(detection.score, 4)
            if as_json:
                found = {"file": str(path), "time": time, "word": detection.word, "score": score}
                print(json.dumps(found), flush=True)
            else:
                print(f"{path}  {time:.3f}  {detection.word}  {score:.4f}", flush=True)
