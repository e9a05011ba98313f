"""`wakeword serve`: the Wyoming wake service."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from typing import TYPE_CHECKING

from wakeword_daemon.cli import _arguments, _process
from wakeword_daemon.errors import ConfigError
from wakeword_daemon.rooms import stdio
from wakeword_daemon.rooms.addresses import PORT, STDIO, parse_uri
from wakeword_daemon.rooms.detectors import Detectors
from wakeword_daemon.rooms.server import RoomServer
from wakeword_daemon.service import logs
from wakeword_daemon.service.notify import Notifier
from wakeword_daemon.words import load_words

if TYPE_CHECKING:
    import argparse

    from wakeword_daemon.events.connection import Address

logger = logging.getLogger(__name__)

_DRAIN = 5.0
_NEAREST = 0.3

_EPILOG = """examples:
  wakeword serve                                         programs on this machine
  wakeword serve --uri tcp://0.0.0.0:10400 --allow-lan   Home Assistant and satellites
  wakeword serve --uri unix:///run/user/1000/wake.sock --word jarvis --word alexa

Home Assistant and other Wyoming clients send audio, and are notified of the wake words in it. The
microphone of this machine is not used. Settings that are not on the command line come from `rooms`
and `words` in the config. After SIGTERM or Ctrl-C the service accepts no new clients, and ends when
no more audio arrives or after --drain seconds; a second signal ends it immediately.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--uri",
        action="append",
        metavar="URI",
        help="serve on tcp://HOST:PORT, unix:///PATH or stdio://; may be given more than once"
        f" (default: tcp://127.0.0.1:{PORT})",
    )
    parser.add_argument(
        "--allow-lan",
        action="store_true",
        help="allow every machine on the private network, without a password",
    )
    parser.add_argument(
        "--zeroconf",
        nargs="?",
        const="",
        metavar="NAME",
        help="announce the service to Home Assistant, under this name or the machine's",
    )
    parser.add_argument(
        "--nearest",
        nargs="?",
        type=_arguments.positive_float,
        const=_NEAREST,
        metavar="SECONDS",
        help="if several rooms hear a word within so many seconds (0.3 if none are given), report"
        " it only to the one that hears it loudest",
    )
    parser.add_argument(
        "--drain",
        type=_arguments.positive_float,
        default=_DRAIN,
        metavar="SECONDS",
        help="wait at most so many seconds at the end while audio still arrives (default: 5)",
    )
    _arguments.add_word(parser)
    _arguments.add_threshold(parser)
    _arguments.add_config(parser)
    parser.epilog = _EPILOG


def run(args: argparse.Namespace) -> int:
    """Serve until a signal, or until standard input ends."""
    config = _arguments.read_config(args)
    rooms = config.rooms
    uris = args.uri or [rooms.uri or f"tcp://127.0.0.1:{PORT}"]
    args.allow_lan |= rooms.allow_lan
    args.zeroconf = rooms.announced_as if args.zeroconf is None else args.zeroconf
    args.nearest = rooms.nearest if args.nearest is None else args.nearest
    if STDIO in uris and len(uris) > 1:
        raise ConfigError(f"{STDIO} must be the only --uri; leave out the others")
    where = [parse_uri(uri) for uri in uris if uri != STDIO]
    logs.set_up(config.log.level)
    _process.keep_the_heap_small()
    words = load_words(config.words)
    detectors = Detectors(words.models, words.settings)
    if not where:
        stdio.serve(detectors, sys.stdin.fileno(), sys.stdout.fileno())
        return 0
    _process.keep_garbage_short()
    asyncio.run(_serve(RoomServer(detectors, nearest=args.nearest), where, args))
    return 0


async def _serve(server: RoomServer, where: list[Address], args: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    signalled = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signalled.set)
    notifier = Notifier()
    await server.start(where, allow_lan=args.allow_lan, zeroconf=args.zeroconf)
    try:
        words = ", ".join(model.name for model in server.detectors.models)
        status = f"serving {words} on {', '.join(server.addresses)}"
        logger.info("%s", status)
        notifier.ready(status)
        await signalled.wait()
    except BaseException:
        await server.stop()
        raise
    notifier.stopping()
    logger.info("stopping, with %d rooms connected", server.connections)
    signalled.clear()
    draining = asyncio.create_task(server.stop(args.drain))
    again = asyncio.create_task(signalled.wait())
    await asyncio.wait([draining, again], return_when=asyncio.FIRST_COMPLETED)
    again.cancel()
