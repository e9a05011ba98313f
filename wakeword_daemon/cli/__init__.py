"""The command `wakeword`: a module for each command, of which only the one in use is loaded.

Each module has `configure(parser)`, which adds its arguments and examples, and `run(args)`, which
returns the exit code.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from wakeword_daemon import __version__
from wakeword_daemon.cli import _process
from wakeword_daemon.errors import DISK_FAILED, WakewordError

if TYPE_CHECKING:
    from collections.abc import Collection

COMMANDS = {
    "run": "listen to the microphone, and report each wake word to all subscribers",
    "serve": "find wake words in audio from Home Assistant and other Wyoming clients",
    "listen": "print what a running daemon hears",
    "status": "show how a running daemon is doing",
    "monitor": "watch a running daemon in the terminal: level, scores, thresholds",
    "page": "show a running daemon on a web page: level, scores, thresholds, clips",
    "metrics": "serve metrics of a running daemon to Prometheus",
    "pause": "close the microphone of a running daemon for a while",
    "resume": "open the microphone of a paused daemon again",
    "detect": "find wake words in recordings",
    "scores": "print the probability of a wake word, every 80 ms",
    "devices": "list the microphones",
    "doctor": "find out what is wrong on this machine, and how to fix it",
    "words": "list the wake words and their thresholds, or add one",
    "service": "install the daemon as a service of this user",
    "calibrate": "find thresholds for this room, by listening to it for an evening",
    "record": "record takes of a word to train on",
    "review": "listen to clips of what was heard and nearly heard, and label them",
    "train": "train a wake word, from its phrase alone or from recordings",
    "background": "make the speech and noise that words are trained against",
    "cache": "show what training keeps for later use, and clear it",
    "try": "show live how a model hears the microphone",
    "evaluate": "measure misses and false accepts of wake words on recordings",
    "plot": "draw a recording with the probability of a wake word",
    "lab": "distil, prune and quantize a word's network, and compare the results",
}

_EXAMPLES = """examples:
  wakeword run                      listen on the default microphone
  wakeword listen --json            print one line per detection
  wakeword detect evening.flac      find the words in a recording
  wakeword COMMAND --help           show more about one command
"""

_INTERRUPTED = 128 + 2
_BROKEN_PIPE = 128 + 13


def main(arguments: list[str] | None = None) -> int:
    """Run the command line `arguments` (by default the process's own); return the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    command = next((word for word in arguments if word in COMMANDS), None)
    _process.prepare(command)
    try:
        return _run(arguments, [command] if command else [])
    except WakewordError as error:
        print(f"wakeword: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:  # the reader of the output has left
        _give_up_output()
        return _BROKEN_PIPE
    except OSError as error:
        if error.filename is None and error.errno not in DISK_FAILED:
            raise
        if error.filename is None:
            _give_up_output()
        where = "the output" if error.filename is None else error.filename
        print(f"wakeword: cannot use {where}: {error.strerror}", file=sys.stderr)
        return 1


class _Version(argparse.Action):
    """Prints the version; the engine is loaded only for this."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from wakeword_daemon.engine.streams import running_step  # noqa: PLC0415

        print(f"wakeword {__version__}, step in {running_step()}")
        parser.exit()


def build_parser(commands: Collection[str]) -> argparse.ArgumentParser:
    """Return the parser of the whole command line, with the arguments of some commands.

    Args:
        commands: the commands whose modules are loaded and whose arguments are added.

    """
    parser = argparse.ArgumentParser(
        prog="wakeword",
        description="Hears spoken wake words, offline, and tells every program that asked.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="show the version and which step runs, and exit"
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        command = subparsers.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name in commands:
            import_module(f"{__name__}.{name}").configure(command)
    return parser


def _run(arguments: list[str], commands: Collection[str]) -> int:
    try:
        args = build_parser(commands).parse_args(arguments)
        code: int = import_module(f"{__name__}.{args.command}").run(args)
    finally:
        if sys.stdout is not None:  # it was closed before the start
            sys.stdout.flush()  # so that a failure is reported here, and not at exit
    return code


def _give_up_output() -> None:
    """Discard what is still to be written to standard output at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
