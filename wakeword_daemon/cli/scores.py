"""`wakeword scores`: prints the probability of every step, to choose a threshold by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wakeword_daemon.cli import _arguments, _audio
from wakeword_daemon.clock import seconds
from wakeword_daemon.words import load_words

if TYPE_CHECKING:
    import argparse

_EXAMPLES = """examples:
  wakeword scores --word jarvis evening.flac
  arecord -t raw -f S16_LE -r 16000 -c 1 | wakeword scores -

Prints a line for every 80 ms: seconds since the start, and the probability that the word ended
there. With several words, a first line that starts with # names the columns.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("input", metavar="FILE", help=_audio.FORMATS)
    _arguments.add_word(parser)
    _arguments.add_config(parser)
    parser.epilog = _EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Print a line for each step as soon as its audio has arrived."""
    words = load_words(_arguments.read_config(args).words)
    audio = _audio.blocks(args.input)
    detector = words.detector()
    if len(words.names) > 1:
        print("# seconds", *words.names, flush=True)
    for pcm in audio:
        for end, scores in detector.scores(pcm):
            columns = (f"{scores[name]:.6f}" for name in words.names)
            print(f"{seconds(end):.3f}", *columns, flush=True)
    return 0
