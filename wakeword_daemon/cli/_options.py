"""Options that several commands share: the config file and the flags that override it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from wakeword_daemon import config, xdg
from wakeword_daemon.cli import _arguments
from wakeword_daemon.config import Config, WordSection

if TYPE_CHECKING:
    import argparse


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add `--config`."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="read this file instead of ~/.config/wakeword/config.yaml",
    )


def add_word(parser: argparse.ArgumentParser) -> None:
    """Add `--word`."""
    parser.add_argument(
        "--word", metavar="NAME", help="hear only this word (configured or shipped)"
    )


def add_threshold(parser: argparse.ArgumentParser) -> None:
    """Add `--threshold`."""
    parser.add_argument(
        "--threshold",
        type=_arguments.probability,
        metavar="P",
        help="report at this probability instead of the configured one",
    )


def cache_folder() -> Path:
    """Return the folder for what is computed once: of this user, by the XDG convention."""
    return xdg.cache_home() / "wakeword"


def read_config(args: argparse.Namespace) -> Config:
    """Read the config file and apply whichever of the flags the command has and was given.

    Raises ConfigError.
    """
    given = {name: value for name, value in vars(args).items() if value is not None}
    read = config.load(config.find(given.get("config")))
    words = read.words
    if "word" in given:
        words = {given["word"]: words.get(given["word"], WordSection())}
    if "threshold" in given:
        chosen = {"threshold": given["threshold"], "sensitivity": None}
        words = {name: replace(word, **chosen) for name, word in words.items()}
    audio = replace(read.audio, device=given["device"]) if "device" in given else read.audio
    socket = replace(read.socket, path=given["socket"]) if "socket" in given else read.socket
    return replace(read, words=words, audio=audio, socket=socket)
