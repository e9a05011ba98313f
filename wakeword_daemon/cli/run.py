"""`wakeword run`: the daemon."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from wakeword_daemon import resources
from wakeword_daemon.audio.capture import Capture
from wakeword_daemon.audio.sources import FileSource, PcmSource
from wakeword_daemon.cli import _arguments, _process
from wakeword_daemon.service import logs
from wakeword_daemon.service.activation import listening_socket
from wakeword_daemon.service.daemon import Daemon
from wakeword_daemon.service.notify import Notifier
from wakeword_daemon.service.watchdog import HungError
from wakeword_daemon.words import load_words

if TYPE_CHECKING:
    import argparse

    from wakeword_daemon.service.daemon import MakeSource

logger = logging.getLogger(__name__)

_EXAMPLES = """examples:
  wakeword run                                  the default microphone
  wakeword run --device "USB" --threshold 0.9   another one, stricter
  wakeword run --input evening.flac             a recording, as if it were spoken now
  parec --rate=16000 --channels=1 --format=s16le | wakeword run --input -

  wakeword run --check                          is the changed config valid?

SIGHUP reads the config again; SIGTERM and Ctrl-C end the daemon.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    _arguments.add_config(parser)
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--device",
        type=lambda text: int(text) if text.isdecimal() else text,
        help="a microphone's name, a part of it, or its index in `wakeword devices`",
    )
    source.add_argument(
        "--input", metavar="FILE", help="a recording, or - for s16le at 16 kHz on standard input"
    )
    source.add_argument(
        "--demo", action="store_true", help="a recording that ships with the package, repeated"
    )
    _arguments.add_word(parser)
    _arguments.add_threshold(parser)
    parser.add_argument("--socket", metavar="PATH", help="the socket that events are sent on")
    parser.add_argument(
        "--check", action="store_true", help="check the config and its models, and exit"
    )
    parser.epilog = _EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Listen until a signal, or until the input ends."""
    if args.check:
        from wakeword_daemon.actions import packages  # noqa: PLC0415 -- most daemons have none

        config = _arguments.read_config(args)
        words = load_words(config.words)
        packages.check(config)
        print(f"the config is good; wake words: {', '.join(words.names)}")
        return 0
    _process.keep_the_heap_small()
    logs.set_up("info")
    daemon = Daemon(
        partial(_arguments.read_config, args),
        _source(args),
        Notifier(),
        listening_socket(),
        saves_to=args.config,
    )
    _process.keep_garbage_short()
    try:
        asyncio.run(daemon.run())
    except HungError as error:
        logger.error("%s", error)  # noqa: TRY400 -- the sentence says it all
        logging.shutdown()
        # An orderly exit would wait for the thread that hangs.
        os._exit(error.exit_code)
    return 0


def _source(args: argparse.Namespace) -> MakeSource:
    """Return a function that makes the input which the flags choose."""
    if args.demo:
        demo = resources.demo_recording()
        return lambda _, *wiring: FileSource(demo, *wiring, repeat=True)
    if args.input == "-":
        return lambda _, *wiring: PcmSource(sys.stdin.buffer, *wiring)
    if args.input is not None:
        return lambda _, *wiring: FileSource(Path(args.input), *wiring)
    return Capture
