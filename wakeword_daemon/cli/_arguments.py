"""Arguments that several commands share.

It imports neither numpy nor yaml, so a client such as `wakeword listen` stays light.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from wakeword_daemon.errors import ConfigError
from wakeword_daemon.storage import read_secret

if TYPE_CHECKING:
    from wakeword_daemon.config import Config, WordSection

_LAST_PORT = 65_535


def add_address(parser: argparse.ArgumentParser) -> None:
    """Add `--socket` and `--token-file`: how to reach a running daemon."""
    parser.add_argument(
        "--socket",
        metavar="ADDRESS",
        help="the daemon's socket, or tcp://HOST:PORT (default: the daemon on this machine)",
    )
    # Not the secret itself: every user of this machine can read the command lines of the others.
    parser.add_argument(
        "--token-file",
        dest="token",
        type=_secret_in,
        metavar="FILE",
        help="a file with the secret that a daemon on TCP asks for; only its owner may read it",
    )


def _secret_in(path: str) -> str:
    try:
        return read_secret(Path(path))
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise argparse.ArgumentTypeError(f"{path} is not a text file in UTF-8") from None


def add_unix_socket(parser: argparse.ArgumentParser) -> None:
    """Add `--socket`, for requests that only a unix socket accepts."""
    parser.add_argument(
        "--socket",
        metavar="PATH",
        help="the daemon's socket (default: the daemon on this machine)",
    )


def add_port(parser: argparse.ArgumentParser, default: int) -> None:
    """Add `--port`, for a command that serves HTTP."""
    parser.add_argument(
        "--port",
        type=port,
        default=default,
        metavar="PORT",
        help=f"the port; 0 picks a free one (default: {default})",
    )


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add `--config`."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="read this file instead of ~/.config/wakeword/config.yaml",
    )


def add_word(parser: argparse.ArgumentParser) -> None:
    """Add `--word`, which may be given several times."""
    parser.add_argument(
        "--word",
        metavar="WORD",
        action="append",
        help="listen for this word: a name from `wakeword words`, or the path to a model file; may"
        " be given more than once (default: the words in the config file)",
    )


def add_threshold(parser: argparse.ArgumentParser) -> None:
    """Add `--threshold`."""
    parser.add_argument(
        "--threshold",
        type=probability,
        metavar="P",
        help="report a word when its probability reaches P, above 0 and below 1",
    )


def read_config(args: argparse.Namespace) -> Config:
    """Read the config file and apply the flags on the command line.

    Raises:
        ConfigError: the file cannot be read, or a setting in it is wrong.

    """
    from msgspec.structs import replace  # noqa: PLC0415 - a client has no config to read

    from wakeword_daemon import config  # noqa: PLC0415

    given = {name: value for name, value in vars(args).items() if value is not None}
    read = config.load(config.find(given.get("config")))
    words = _chosen(given["word"], read.words) if "word" in given else read.words
    if "threshold" in given:
        chosen = {"threshold": given["threshold"], "sensitivity": None}
        words = {name: replace(word, **chosen) for name, word in words.items()}
    audio = replace(read.audio, device=given["device"]) if "device" in given else read.audio
    socket = replace(read.socket, path=given["socket"]) if "socket" in given else read.socket
    return replace(read, words=words, audio=audio, socket=socket)


def read_one_word(args: argparse.Namespace) -> dict[str, WordSection]:
    """Read the config as `read_config` does, for a command that uses one word.

    Raises:
        ConfigError: as for `read_config`, or several words are configured and none is chosen.

    """
    words = read_config(args).words
    if len(words) > 1:
        raise ConfigError(f"this command takes one word; choose it with --word: {', '.join(words)}")
    return words


def positive_int(text: str) -> int:
    """Read a whole number above 0."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def whole_number(text: str) -> int:
    """Read a whole number, 0 included."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def positive_float(text: str) -> float:
    """Read a number above 0."""
    return _number(text, float("inf"))


def port(text: str) -> int:
    """Read a port; 0 for any that is free."""
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, 0 to {_LAST_PORT}")
    return int(text)


def probability(text: str) -> float:
    """Read a number above 0 and below 1."""
    return _number(text, 1)


def _number(text: str, limit: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < limit:
        below = "" if limit > 1 else " and below 1"
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0{below}")
    return value


def _chosen(wanted: list[str], configured: dict[str, WordSection]) -> dict[str, WordSection]:
    """Return the chosen words, each with its configured settings or the defaults."""
    from wakeword_daemon.config import WordSection  # noqa: PLC0415
    from wakeword_daemon.names import find_name  # noqa: PLC0415

    words = (find_name(word, configured) or word for word in wanted)
    return {word: configured.get(word, WordSection()) for word in words}
