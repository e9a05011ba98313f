"""Arguments of several commands, and their types; loads nothing, so that a client stays light."""

from __future__ import annotations

import argparse


def add_address(parser: argparse.ArgumentParser) -> None:
    """Add `--socket` and `--token`: where a running daemon is reached."""
    parser.add_argument(
        "--socket",
        metavar="ADDRESS",
        help="the daemon's socket, or tcp://HOST:PORT (default: this machine's)",
    )
    parser.add_argument("--token", help="the secret a daemon on TCP may ask for")


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
