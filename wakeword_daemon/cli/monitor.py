"""`wakeword monitor`: a live view of a running daemon in the terminal."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

from wakeword_daemon.cli import _arguments, _extras
from wakeword_daemon.cli._keys import EndOfKeys, Keys, keys
from wakeword_daemon.cli._watched import WatchedDaemon
from wakeword_daemon.errors import EventsError, WakewordError
from wakeword_daemon.events import client

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from wakeword_daemon.events.items import Watched

_EPILOG = """keys:
  up, down     choose a word
  + -          raise or lower its threshold by 0.01
  s            save its threshold to the config file; comments stay
  p            pause: close the microphone, or open it again
  q, Ctrl-C    quit
"""

_FRAME = 0.1
"""Seconds between two frames, if there is anything new."""

_STEP = 0.01


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    _arguments.add_address(parser)
    parser.epilog = _EPILOG


def run(args: argparse.Namespace) -> int:
    """Show the view until a key ends it."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM") == "dumb":
        raise WakewordError(
            "the monitor needs a terminal; `wakeword status` and `wakeword listen` do not"
        )
    try:
        import rich  # noqa: F401, PLC0415 - no other command pays for it
    except ModuleNotFoundError as error:
        raise _extras.missing("the monitor", error, "monitor") from None
    logging.getLogger().addHandler(logging.NullHandler())  # the view shows what it would log
    Monitor(args.socket, args.token).run()
    return 0


class Monitor:
    """The view, its keys, and a thread each for what comes from and goes to the daemon."""

    def __init__(self, socket: str | None, token: str | None) -> None:
        self._socket = socket
        self._token = token
        self._watch = WatchedDaemon()
        self._arrived: SimpleQueue[Watched | EventsError] = SimpleQueue()
        self._requests: SimpleQueue[Callable[[], str]] = SimpleQueue()
        self._selected: str | None = None
        self._wanted: dict[str, float] = {}  # thresholds that were chosen here and are not saved
        self._message = ""

    def run(self) -> None:
        """Show the daemon until a key ends it.

        Raises:
            EventsError: the daemon refused us.

        """
        from rich.console import Console  # noqa: PLC0415
        from rich.live import Live  # noqa: PLC0415

        from wakeword_daemon.cli import _monitor_view as view  # noqa: PLC0415

        console = Console()
        utf8 = console.encoding.lower().startswith("utf")
        characters = view.UNICODE if utf8 else view.ASCII
        for work in (self._receive, self._send):
            threading.Thread(target=work, daemon=True).start()
        with (
            contextlib.suppress(EndOfKeys),
            keys("the monitor") as keyboard,
            Live(console=console, screen=True, auto_refresh=False) as live,
        ):
            while True:
                # Read once: what changes while it is drawn must be drawn again. The terminal knows
                # its size best: rich believes the variable COLUMNS, which never changes.
                size, message = os.get_terminal_size(), self._message
                console.size = size
                live.update(
                    view.render(
                        self._watch,
                        size,
                        selected=self._selected,
                        unsaved=frozenset(self._wanted),
                        message=message,
                        characters=characters,
                    ),
                    refresh=True,
                )
                if not self._wait(keyboard, size, message):
                    return

    def _wait(self, keyboard: Keys, size: object, message: str) -> bool:
        """Wait until anything differs from what is shown; return False to end."""
        while True:
            if key := keyboard.read(_FRAME):
                self._message = ""
                return self._press(key)
            if self._take() or self._message != message or os.get_terminal_size() != size:
                return True

    def _take(self) -> bool:
        """Process what has arrived; return whether anything has."""
        new = False
        while not self._arrived.empty():
            item = self._arrived.get()
            if isinstance(item, EventsError):
                raise item
            self._watch.take(item)
            new = True
        if self._selected not in self._watch.words:
            self._selected = next(iter(self._watch.words), None)
        return new

    def _press(self, key: str) -> bool:
        """Do what a key means; return False to end."""
        match key:
            case "q":
                return False
            case "\x1b[A" | "\x1bOA" | "k":
                self._choose(-1)
            case "\x1b[B" | "\x1bOB" | "j":
                self._choose(1)
            case "+" | "=":
                self._tune(_STEP)
            case "-":
                self._tune(-_STEP)
            case "s":
                self._save()
            case "p":
                self._ask(self._resume if self._watch.state == "paused" else self._pause)
        return True

    def _choose(self, by: int) -> None:
        words = self._watch.words
        if self._selected in words:
            self._selected = words[(words.index(self._selected) + by) % len(words)]

    def _tune(self, by: float) -> None:
        word = self._selected
        if word is None:
            return
        now = self._wanted.get(word, self._watch.thresholds[word])
        threshold = round(min(max(now + by, _STEP), 1 - _STEP), 3)
        self._wanted[word] = self._watch.thresholds[word] = threshold
        self._ask(lambda: self._set(word, threshold, save=False))

    def _save(self) -> None:
        word = self._selected
        if word is not None:
            threshold = self._wanted.pop(word, self._watch.thresholds[word])
            self._ask(lambda: self._set(word, threshold, save=True))

    # Requests to the daemon run on another thread, because they may take a while

    def _ask(self, request: Callable[[], str]) -> None:
        self._requests.put(request)

    def _set(self, word: str, threshold: float, *, save: bool) -> str:
        try:
            done = client.set_threshold(word, threshold, save=save, socket=self._socket)
        except EventsError:
            self._wanted[word] = threshold
            raise
        return f"saved to {done.saved}" if done.saved else ""

    def _pause(self) -> str:
        client.pause(socket=self._socket)
        return ""

    def _resume(self) -> str:
        client.resume(socket=self._socket)
        return ""

    def _send(self) -> None:
        while True:
            request = self._requests.get()
            try:
                message = request()
            except EventsError as error:
                message = str(error)
            if message:
                self._message = message

    def _receive(self) -> None:
        try:
            for item in client.watch(self._socket, token=self._token):
                self._arrived.put(item)
        except EventsError as error:
            self._arrived.put(error)
