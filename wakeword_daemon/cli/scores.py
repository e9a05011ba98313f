"""`wakeword scores`: the bare probability at every step, to choose a threshold by."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wakeword_daemon.audio import files
from wakeword_daemon.cli import _options
from wakeword_daemon.clock import HOP, seconds
from wakeword_daemon.errors import ConfigError
from wakeword_daemon.words import load_words

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from typing import BinaryIO

    from numpy.typing import NDArray

_EXAMPLES = """examples:
  arecord -t raw -f S16_LE -r 16000 -c 1 | wakeword scores -
  wakeword scores --word jarvis evening.flac

One line per 80 ms: the end of the audio heard in seconds, and the probability of the word.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "input", metavar="FILE", help="a recording, or - for s16le at 16 kHz on standard input"
    )
    _options.add_word(parser)
    _options.add_config(parser)
    parser.epilog = _EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Print a line for each step as soon as its audio is there."""
    configured = _options.read_config(args).words
    if len(configured) != 1:
        raise ConfigError(f"choose one word with --word (configured: {', '.join(configured)})")
    (name,) = configured
    detector = load_words(configured).detector()
    audio = _blocks(sys.stdin.buffer) if args.input == "-" else files.blocks(Path(args.input))
    for pcm in audio:
        for end, scores in detector.scores(pcm):
            print(f"{seconds(end):.3f} {scores[name]:.6f}", flush=True)
    return 0


def _blocks(stream: BinaryIO) -> Iterator[NDArray[np.int16]]:
    """Yield whatever has come, at most a hop at a time, so that a live pipe is never waited on."""
    rest = b""
    while data := stream.read1(2 * HOP):  # type: ignore[attr-defined]
        data = rest + data
        whole = len(data) & ~1
        rest = data[whole:]
        yield np.frombuffer(data[:whole], "<i2").astype(np.int16)
