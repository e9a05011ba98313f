"""`wakeword metrics`: serves metrics of a running daemon to Prometheus."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

from wakeword_daemon.cli import _arguments, _extras

if TYPE_CHECKING:
    import argparse

PORT = 10_402

_EPILOG = """It listens on 127.0.0.1 only; every user of this machine may ask. Prometheus needs:

  scrape_configs:
    - job_name: wakeword
      static_configs: [{targets: ["127.0.0.1:10402"]}]

Without a daemon, wakeword_up is 0. Ctrl-C stops it.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    _arguments.add_port(parser, PORT)
    _arguments.add_unix_socket(parser)
    parser.epilog = _EPILOG


def run(args: argparse.Namespace) -> int:
    """Answer scrapes until a signal."""
    try:
        from wakeword_daemon.page import metrics  # noqa: PLC0415 - no other command pays for it
    except ModuleNotFoundError as error:
        raise _extras.missing("serving metrics", error, "metrics") from None
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    daemon = None if args.socket is None else Path(args.socket)
    with metrics.server(daemon, args.port) as server:
        print(f"http://{metrics.HOST}:{server.server_port}/metrics", flush=True)
        server.serve_forever()
    return 0
