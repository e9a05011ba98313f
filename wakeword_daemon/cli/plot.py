"""`wakeword plot`: draws recordings with the probability of a wake word."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wakeword_daemon.audio import files
from wakeword_daemon.cli import _arguments, _extras
from wakeword_daemon.cli._line import Line
from wakeword_daemon.clock import SAMPLE_RATE, seconds
from wakeword_daemon.counts import counted
from wakeword_daemon.engine.trace import trace
from wakeword_daemon.errors import AudioError, ConfigError
from wakeword_daemon.words import load_words

if TYPE_CHECKING:
    import argparse

LONGEST = 300
"""Most seconds in one picture; with more, nothing can be seen."""
FORMATS = (".png", ".svg")

_EXAMPLES = """examples:
  wakeword plot evening.flac
  wakeword plot --word jarvis --output jarvis.svg before.wav jarvis.wav after.wav

Draws waveform, log-mel, attention and probability over time, and detections in red. Several
recordings are joined into one stream.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="WAV, FLAC, OGG or MP3 of any rate"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="the picture to write, .png or .svg (default: the first recording's name, as .png)",
    )
    _arguments.add_word(parser)
    _arguments.add_threshold(parser)
    _arguments.add_config(parser)
    parser.epilog = _EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Run the engine over the recordings and draw them."""
    with Line(after=0) as line:
        line.show("drawing …")
        summary = _draw(args)
    print(summary)
    return 0


def _draw(args: argparse.Namespace) -> str:
    """Draw the picture; return what to say of it."""
    output = args.output or Path(f"{args.files[0].stem}.png")
    if output.suffix not in FORMATS:
        raise ConfigError(f"{output}: the picture's name must end in {' or '.join(FORMATS)}")
    word = _arguments.read_one_word(args)
    try:
        from wakeword_daemon.cli import _picture  # noqa: PLC0415 - only this pays for matplotlib
    except ModuleNotFoundError as error:
        raise _extras.missing("drawing", error) from None
    words = load_words(word)
    (model,) = words.models
    pieces = [files.read(path) for path in args.files]
    begins = np.cumsum([0, *map(len, pieces)])
    pcm = np.concatenate(pieces)
    if len(pcm) > LONGEST * SAMPLE_RATE:
        raise AudioError(
            f"{seconds(len(pcm)):.0f} s are too long for one picture; it can show {LONGEST} s"
        )
    detections = words.detector().push(pcm)
    recordings = [
        (seconds(int(begin)), path.stem) for begin, path in zip(begins, args.files, strict=False)
    ]
    threshold = model.threshold_for(words.settings[model.name])
    try:
        _picture.draw(
            output, model, pcm, trace=trace(model, pcm), detections=detections,
            threshold=threshold, recordings=recordings,
        )  # fmt: skip
    except OSError as error:
        raise ConfigError(f"cannot write {output}: {error.strerror}") from None
    return f"{output}: {counted(len(detections), 'detection')} in {seconds(len(pcm)):.1f} s"
