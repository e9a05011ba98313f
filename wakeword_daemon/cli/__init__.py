"""The command `wakeword`: one module a command, of which only the one that is asked for is loaded.

Each module has `configure(parser)`, which adds its arguments and examples, and `run(args)`, which
returns the exit code.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module

from wakeword_daemon import __version__
from wakeword_daemon.errors import WakewordError

COMMANDS = {
    "run": "listen, and tell every subscriber what was heard",
    "listen": "print detections as a running daemon reports them",
    "status": "show how a running daemon is",
    "detect": "find wake words in recordings",
    "scores": "print the probability of a wake word, 80 ms by 80 ms",
    "devices": "list the microphones",
    "words": "list the wake words and their thresholds",
    "service": "install the daemon as a service of this user",
    "train": "train a wake word from recordings",
    "plot": "draw what a wake word makes of recordings",
    "lab": "distil, prune and quantize a word's network, and compare",
}

_EXAMPLES = """examples:
  wakeword run                      listen on the default microphone
  wakeword listen --json            print one line per detection
  wakeword detect evening.flac      find the words in a recording
  wakeword COMMAND --help           more on one command
"""

_INTERRUPTED = 128 + 2
_BROKEN_PIPE = 128 + 13


def main(arguments: list[str] | None = None) -> int:
    """Run the command line `arguments` (by default the process's own); return the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # Before a command's module imports numpy or torch: steps of 80 ms and takes of a second are too
    # small for a pool of threads, and the pools of two processes keep each other waiting.
    for pool in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(pool, "1")
    try:
        args = _parse(arguments)
        code: int = import_module(f"{__name__}.{args.command}").run(args)
        sys.stdout.flush()
    except WakewordError as error:
        print(f"wakeword: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has left; let nothing more be written there at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    return code


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="wakeword",
        description="Hears a spoken wake word, offline, and tells every program that asked.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"wakeword {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    wanted = next((word for word in arguments if not word.startswith("-")), None)
    if wanted == "run":
        _stay_small()
    for name, summary in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name == wanted:
            import_module(f"{__name__}.{name}").configure(command)
    return parser.parse_args(arguments)


def _stay_small() -> None:
    """Keep out of the daemon what it never uses, before its module imports numpy and asyncio."""
    # OpenSSL takes 5 MB; asyncio and hashlib load it where they can, and do well without.
    for module in ("ssl", "_hashlib"):
        sys.modules[module] = None  # type: ignore[assignment]
