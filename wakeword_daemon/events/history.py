"""Numbers published events, and keeps the recent ones for subscribers that come back."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from wakeword_daemon.events.framing import ProtocolError
from wakeword_daemon.events.protocol import Published, Subscribe, Subscribed

PublishedT = TypeVar("PublishedT", bound=Published)


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
        restarted = request.start_id not in {None, self.start_id}
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
