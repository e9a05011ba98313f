"""`wakeword page`: a web page of a running daemon."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wakeword_daemon import xdg
from wakeword_daemon.cli import _arguments, _extras
from wakeword_daemon.errors import EventsError

if TYPE_CHECKING:
    import argparse

PORT = 10_401

_EXAMPLES = """examples:
  wakeword page                  for a browser on this machine
  wakeword page --host 0.0.0.0   for a phone in the same network, which needs a token

The page shows level, scores and detections. It can change thresholds, pause the daemon, and play
the kept clips so that you can label them. Ctrl-C stops it.

Programs of this user on this machine need no token. Everyone else does. The printed address ends
in it. It is stored in ~/.local/state/wakeword/page-token and stays the same. On the network, token
and clips travel unencrypted.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="the address to serve on; 0.0.0.0 for all of this machine (default: 127.0.0.1)",
    )
    _arguments.add_port(parser, PORT)
    _arguments.add_unix_socket(parser)
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where the clips are")
    _arguments.add_config(parser)
    parser.epilog = _EXAMPLES


def run(args: argparse.Namespace) -> int:
    """Serve the page until a signal."""
    try:
        from wakeword_daemon.page import guard, server  # noqa: PLC0415 - no other command pays for it
    except ModuleNotFoundError as error:
        raise _extras.missing("the page", error, "page") from None
    from wakeword_daemon.clips.folder import ClipFolder, folder_of_clips  # noqa: PLC0415

    config = _arguments.read_config(args)
    folder = ClipFolder(args.folder or folder_of_clips(config.clips.folder))
    token = guard.read_token(xdg.state_home() / "wakeword/page-token")
    with server.listen(args.host, args.port) as listening:
        for url in server.urls(listening, args.host, token):
            print(url, flush=True)
        _say_if_away(args.socket)
        server.serve(
            listening,
            None if args.socket is None else Path(args.socket),
            folder,
            token=token,
            name=args.host,
        )
    return 0


def _say_if_away(socket: str | None) -> None:
    from wakeword_daemon.events.client import read_status  # noqa: PLC0415

    try:
        read_status(socket)
    except EventsError as error:
        print(f"wakeword: {error}; the page waits for it", file=sys.stderr, flush=True)
