"""The last seconds of audio, on the sample clock, for any number of readers.

One thread writes and never waits for a reader. A reader that falls behind loses the oldest samples,
and a source that recorded nothing for a while calls `RingBuffer.skip`. In both cases the next block
says how many samples are missing before it.
"""

from __future__ import annotations

import threading
import time
from array import array
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from typing import TYPE_CHECKING
from weakref import WeakSet

from wakeword_daemon import clock
from wakeword_daemon.buffers import view

if TYPE_CHECKING:
    from wakeword_daemon.pcm import Samples


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A stretch of audio without a gap."""

    start: int
    """Index of its first sample on the sample clock."""
    pcm: memoryview
    """Its samples, int16[n]."""
    lost: int
    """Samples missing right before it: overwritten before they were read, or never recorded."""


class RingBuffer:
    """Audio of the last `seconds` seconds: 16 kHz mono int16, written by one thread.

    Only recorded samples take space. They are stored one after the other with a running number, and
    a list of gaps converts that number to the sample clock. So an hour without a device moves the
    clock on by an hour, and no sample is overwritten.
    """

    def __init__(self, seconds: float) -> None:
        self._pcm = memoryview(array("h", bytes(2 * clock.samples(seconds))))
        self._heard = 0
        # (running number, how far the clock is ahead of it from that sample on), in order; the
        # first entry applies to the oldest sample.
        self._offsets = [(0, 0)]
        self._anchor = (0, time.time())
        self._closed = False
        self._readers: WeakSet[RingReader] = WeakSet()
        self._lock = threading.Lock()
        self._news = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._waiting = 0

    @property
    def clock(self) -> int:
        """The index one past the newest sample."""
        return self._heard + self._offsets[-1][1]

    @property
    def heard(self) -> int:
        """Samples written so far; the clock is ahead of it by what was skipped."""
        return self._heard

    def write(self, pcm: Samples, captured: float | None = None) -> None:
        """Add samples.

        Args:
            pcm: int16[n].
            captured: Unix time, in seconds, of the last of them; None for now.

        Raises:
            ValueError: the ring is closed.

        """
        with self._lock:
            if self._closed:
                raise ValueError("the ring buffer is closed")
            at, count = self._heard % len(self._pcm), len(pcm)
            self._heard += count
            if at + count <= len(self._pcm):
                self._pcm[at : at + count] = pcm  # type: ignore[assignment]  # as in `buffers.view`
            else:
                self._wrap(at, view(pcm))
            while len(self._offsets) > 1 and self._offsets[1][0] <= self._oldest:
                del self._offsets[0]
            ahead = self._offsets[-1][1]
            self._anchor = (self._heard + ahead, time.time() if captured is None else captured)
            if self._waiting:
                self._news.notify_all()

    def _wrap(self, at: int, pcm: memoryview) -> None:
        """Store samples from an index on, over the end of the buffer."""
        while len(pcm):
            piece = pcm[: len(self._pcm) - at]
            self._pcm[at : at + len(piece)] = piece
            pcm, at = pcm[len(piece) :], 0

    def skip(self, count: int) -> None:
        """Move the clock on by `count` samples that were not recorded."""
        if not count:
            return
        with self._news:
            number, ahead = self._offsets[-1]
            if number == self._heard:
                self._offsets[-1] = (number, ahead + count)
            else:
                self._offsets.append((self._heard, ahead + count))
            self._news.notify_all()

    def close(self) -> None:
        """Declare the end of the audio; readers get the rest, and then None."""
        with self._news:
            self._closed = True
            self._news.notify_all()
            self._room.notify_all()

    def wall_time(self, sample: int) -> float:
        """Return the Unix time, in seconds, at which a sample was or will be captured.

        It is computed from the latest write, so the drift between the sound card's clock and the
        computer's does not accumulate.
        """
        newest, captured = self._anchor
        return captured + clock.seconds(sample - newest)

    def reader(self) -> RingReader:
        """Return a reader of everything that is written from now on."""
        with self._news:
            reader = RingReader(self, self._heard, self.clock)
            self._readers.add(reader)
        return reader

    def reader_from(self, start: int) -> RingReader:
        """Return a reader that begins at sample `start`, or at the oldest one after it.

        A source that can wait does not wait for this reader, which may therefore lose audio.
        """
        with self._news:
            after = bisect_right(self._offsets, start, key=sum)
            number, ahead = self._offsets[max(after - 1, 0)]
            end = self._offsets[after][0] if 0 < after < len(self._offsets) else self._heard
            number = min(max(start - ahead, number, self._oldest), end)
            return RingReader(self, number, min(start, self.clock))

    def copy(self, start: int, stop: int) -> tuple[int, memoryview]:
        """Return the samples from `start` up to `stop`, as far as the ring still has them.

        Returns:
            the index of the first sample returned, `start` or later, and int16[n], with zeros where
            there was a gap; n is at most the ring's size.

        """
        with self._news:
            start = max(start, self.clock - len(self._pcm), 0)
            pcm = memoryview(array("h", bytes(2 * max(min(stop, self.clock) - start, 0))))
            for (number, ahead), (end, _) in pairwise([*self._offsets, (self._heard, 0)]):
                first = max(number, start - ahead)
                last = min(end, start + len(pcm) - ahead)
                if first < last:
                    at = first + ahead - start
                    pcm[at : at + last - first] = self._held(first, last)
        return start, pcm

    def take(self, reader: RingReader, count: int, timeout: float | None) -> Block | None:
        """Read for `RingReader.read`, which documents it."""

        def ready() -> bool:
            gap_follows = reader.number < self._offsets[-1][0]
            return self._heard - reader.number >= count or gap_follows or self._closed

        with self._news:
            self._waiting += 1
            try:
                if not self._news.wait_for(ready, timeout):
                    raise TimeoutError(f"no audio for {timeout} s")
            finally:
                self._waiting -= 1
            first = max(reader.number, self._oldest)
            after = bisect_right(self._offsets, first, key=itemgetter(0))
            ahead = self._offsets[after - 1][1]
            end = self._offsets[after][0] if after < len(self._offsets) else self._heard
            last = min(first + count, end)
            if first == last:
                return None
            block = Block(first + ahead, self._held(first, last), first + ahead - reader.clock)
            reader.lost += first - reader.number
            reader.number, reader.clock = last, last + ahead
            self._room.notify_all()
        return block

    def wait_for_room(self, count: int, timeout: float) -> bool:
        """Wait until `count` samples would overwrite nothing unread; return False on time-out.

        This is for a source that can wait, such as a pipe. Without a reader there is always room.
        """
        with self._room:
            return self._room.wait_for(
                lambda: all(r.backlog + count <= len(self._pcm) for r in self._readers), timeout
            )

    @property
    def _oldest(self) -> int:
        return max(self._heard - len(self._pcm), 0)

    def _held(self, first: int, last: int) -> memoryview:
        """Return a copy of the samples with these running numbers."""
        at = first % len(self._pcm)
        head = self._pcm[at : at + last - first]
        rest = last - first - len(head)
        return memoryview(array("h", head.tobytes() + self._pcm[:rest].tobytes()))


class RingReader:
    """A reader's position in a ring: made by `RingBuffer.reader`, used by one thread.

    Attributes:
        number: running number of the next sample.
        clock: the index of the next sample on the sample clock, if nothing is missing.
        lost: samples that were overwritten before they were read, in total.

    """

    def __init__(self, ring: RingBuffer, number: int, at: int) -> None:
        self._ring = ring
        self.number = number
        self.clock = at
        self.lost = 0

    @property
    def backlog(self) -> int:
        """Samples that are written and not yet read."""
        return self._ring.heard - self.number

    def read(self, count: int, timeout: float | None = None) -> Block | None:
        """Return the next `count` samples, or fewer before a gap or the end of the stream.

        Args:
            count: at most the ring's size.
            timeout: seconds to wait for them; None for no limit.

        Returns:
            the samples; None once the ring is closed and everything has been read.

        Raises:
            TimeoutError: they did not come in time; those that did are left for the next call.

        """
        return self._ring.take(self, count, timeout)
