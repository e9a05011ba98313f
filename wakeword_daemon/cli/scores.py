"""`wakeword scores`: prints the probability of every step, to choose a threshold by."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from wakeword_daemon.cli import _arguments, _audio
from wakeword_daemon.cli._line import Line, clock, is_terminal
from wakeword_daemon.clock import seconds
from wakeword_daemon.words import load_words

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

_EXAMPLES = """examples:
  wakeword scores --word jarvis evening.flac
  arecord -t raw -f S16_LE -r 16000 -c 1 | wakeword scores -

Prints a line for every 80 ms: seconds since the start, and the probability that the word ended
there. With several words, a first line that starts with # names the columns; --json names them in
every line.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("input", metavar="FILE", help=_audio.FORMATS)
    parser.add_argument("--json", action="store_true", help="print one JSON object per step")
    _arguments.add_word(parser)
    _arguments.add_config(parser)
    parser.epilog = _EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Print a line for each step as soon as its audio has arrived."""
    words = load_words(_arguments.read_config(args).words)
    audio = _audio.blocks(args.input)
    detector = words.detector()
    if len(words.names) > 1 and not args.json:
        print("# seconds", *words.names, flush=True)
    heard = 0
    with Line() as line:
        for pcm in audio:
            for end, scores in detector.scores(pcm):
                print(_row(seconds(end), scores, words.names, as_json=args.json), flush=True)
            heard += len(pcm)
            if not is_terminal(sys.stdout):  # there the scores themselves show the progress
                line.show(f"{args.input}: {clock(seconds(heard))} heard")
    return 0


def _row(time: float, scores: Mapping[str, float], names: Sequence[str], *, as_json: bool) -> str:
    if as_json:
        rounded = {name: round(scores[name], 6) for name in names}
        return json.dumps({"time": round(time, 3), "scores": rounded})
    return " ".join([f"{time:.3f}", *(f"{scores[name]:.6f}" for name in names)])
