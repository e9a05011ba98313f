"""Numbers published events, and keeps the recent ones for subscribers that come back.

A daemon that is stopped saves them, and the next one continues with them, so that subscribers miss
nothing in an upgrade. After a crash the numbers start at 1 again.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import msgspec

from wakeword_daemon.events.framing import FrameDecoder, ProtocolError
from wakeword_daemon.events.protocol import (
    Detection,
    Published,
    StateChanged,
    Subscribe,
    Subscribed,
)
from wakeword_daemon.storage import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)

PublishedT = TypeVar("PublishedT", bound=Published)

_KINDS = {one.kind: one for one in (Detection, StateChanged)}


@dataclass(frozen=True, slots=True)
class Entry:
    """A numbered event and its line, encoded once for all subscribers."""

    event: Published
    line: bytes


class History:
    """Numbers events from 1 on and keeps the last `size` of them."""

    def __init__(self, size: int) -> None:
        # A readable time, so that later runs sort after earlier ones.
        self.start_id = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        self.sequence = 0  # of the latest event
        self._entries: deque[Entry] = deque(maxlen=size)
        self._runs: set[str] = set()  # earlier ones, whose numbers this run continues

    def load(self, path: Path) -> None:
        """Go on where the daemon before this one ended, if it wrote that down.

        The file is removed: after a crash its events would not be the last ones.
        """
        try:
            entries = _read(path.read_bytes())
            path.unlink()
        except FileNotFoundError:
            return
        except (OSError, ProtocolError) as error:
            logger.warning("the events of the last run are lost: %s", error)
            return
        if not entries:
            return
        self._entries.extend(entries)
        self.sequence = entries[-1].event.sequence
        self._runs = {entry.event.start_id for entry in entries}
        # Also where the clock was set back meanwhile.
        last = max(self._runs)
        if self.start_id <= last:
            self.start_id = f"{last}+"

    def save(self, path: Path) -> None:
        """Write down the events for the daemon after this one; only their owner may read them."""
        try:
            write_atomically(path, b"".join(entry.line for entry in self._entries), 0o600)
        except OSError as error:
            logger.warning("the next run cannot continue with these events: %s", error)

    def number(self, event: PublishedT) -> PublishedT:
        """Return the event with the next number."""
        self.sequence += 1
        return msgspec.structs.replace(event, sequence=self.sequence, start_id=self.start_id)

    def append(self, event: Published) -> Entry:
        """Remember a numbered event."""
        entry = Entry(event, event.line())
        self._entries.append(entry)
        return entry

    def resume(self, request: Subscribe) -> tuple[Subscribed, list[Entry]]:
        """Return the answer to a subscriber, and the events to send after that answer.

        Raises:
            ProtocolError: the request names an event that has not happened.

        """
        restarted = request.start_id not in {None, self.start_id, *self._runs}
        after = self.sequence if request.after_sequence is None else request.after_sequence
        if restarted:
            after = 0
        elif after > self.sequence:
            raise ProtocolError(
                "bad-data", f"event {after} has not happened, the last one is {self.sequence}"
            )
        gone = self.sequence - len(self._entries)
        missed = max(gone - after, 0)
        answer = Subscribed(
            start_id=self.start_id,
            sequence=after + missed,
            missed=None if restarted else missed,
            last=self.sequence,
        )
        return answer, [entry for entry in self._entries if entry.event.sequence > after]


def _read(lines: bytes) -> list[Entry]:
    """Return the events in lines as `History.save` writes them, up to the newest without a gap.

    Raises:
        ProtocolError: they are none.

    """
    entries: list[Entry] = []
    decoder = FrameDecoder()
    for line in lines.splitlines(keepends=True):
        decoder.feed(line)
        frame = decoder.next_frame()
        kind = _KINDS.get(frame.type) if frame is not None else None
        if frame is None or kind is None:
            raise ProtocolError("bad-data", "they are not written as events are")
        event = kind.from_frame(frame)
        if entries and event.sequence != entries[-1].event.sequence + 1:
            entries.clear()
        entries.append(Entry(event, event.line()))
    return entries
