"""`wakeword detect`: finds wake words in recordings, as the daemon would."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from wakeword_daemon.cli import _arguments, _audio
from wakeword_daemon.cli._line import Line, clock
from wakeword_daemon.clock import seconds
from wakeword_daemon.errors import AudioError
from wakeword_daemon.words import Words, load_words

if TYPE_CHECKING:
    import argparse

    from wakeword_daemon.engine import Detection

_EXAMPLES = """examples:
  wakeword detect evening.flac
  wakeword detect --json --word jarvis --word "smart mirror" *.wav
  wakeword detect --threshold 0.5 missed.ogg
  ffmpeg -loglevel error -i clip.m4a -f s16le -ac 1 -ar 16000 - | wakeword detect -

Prints a line for each detection: file, seconds since its start, word, score. A file that cannot be
read is reported, the others are still searched, and the exit code is 1.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("files", nargs="+", metavar="FILE", help=_audio.FORMATS)
    parser.add_argument("--json", action="store_true", help="print one JSON object per detection")
    _arguments.add_word(parser)
    _arguments.add_threshold(parser)
    _arguments.add_config(parser)
    parser.epilog = _EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Search the files one after the other."""
    words = load_words(_arguments.read_config(args).words)
    failed = False
    for name in args.files:
        try:
            _search(name, words, as_json=args.json)
        except AudioError as error:
            print(f"wakeword: {error}", file=sys.stderr)
            failed = True
    return 1 if failed else 0


def _search(name: str, words: Words, *, as_json: bool) -> None:
    detector = words.detector()
    heard = 0
    with Line() as line:
        for pcm in _audio.blocks(name):
            for detection in detector.push(pcm):
                line.wipe()
                _print(name, detection, as_json=as_json)
            heard += len(pcm)
            line.show(f"{name}: {clock(seconds(heard))} heard")


def _print(name: str, detection: Detection, *, as_json: bool) -> None:
    time = round(seconds(detection.sample), 3)
    score = round(detection.score, 4)
    if as_json:
        found = {"file": name, "time": time, "word": detection.word, "score": score}
        print(json.dumps(found), flush=True)
    else:
        print(f"{name}  {time:.3f}  {detection.word}  {score:.4f}", flush=True)
