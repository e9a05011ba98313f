"""Audio for a subscriber: from before the end of a word on into the present, without a gap."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from wakeword_daemon.clock import HOP, SAMPLE_RATE, milliseconds, samples
from wakeword_daemon.events.protocol import AudioChunk, AudioStart, AudioStop
from wakeword_daemon.levels import NOISE_HOPS, level, noise_floor
from wakeword_daemon.pcm import little_endian

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wakeword_daemon.events.protocol import StopReason, Subscribe

_WAIT = 5.0
"""Seconds without any audio after which the audio of a detection ends."""

_SPEECH = 10.0
"""Decibels above the room's noise at which a hop counts as speech."""

_QUIETEST = -60.0
"""The lowest noise floor that is assumed, in dBFS."""


class AudioBlock(Protocol):
    """A stretch of audio without a gap."""

    @property
    def start(self) -> int:
        """Index of its first sample."""

    @property
    def pcm(self) -> memoryview:
        """Its samples, int16[n]."""

    @property
    def lost(self) -> int:
        """Samples missing right before it."""


class AudioReader(Protocol):
    """A place in the recorded audio."""

    @property
    def clock(self) -> int:
        """Index of the next sample, if nothing is missing."""

    def read(self, count: int, timeout: float | None) -> AudioBlock | None:
        """Return the next `count` samples, fewer before a gap, or None at the end of all audio.

        Raises:
            TimeoutError: they have not come within `timeout` seconds.

        """


class AudioFeed(Protocol):
    """Where audio comes from."""

    @property
    def clock(self) -> int:
        """Index one past the newest sample."""

    def reader_from(self, start: int) -> AudioReader:
        """Return a reader that begins at sample `start`, or at the oldest one after it."""


class AudioStream:
    """One `audio-start`, the chunks after it and, unless the audio is endless, one `audio-stop`.

    Args:
        feed: where the audio comes from.
        request: what the subscriber asked for.
        word: number and last sample of the detection that it belongs to; None for endless audio
            that begins now.

    """

    def __init__(
        self, feed: AudioFeed, request: Subscribe, word: tuple[int, int] | None = None
    ) -> None:
        sequence, end = word or (None, feed.clock)
        self._sequence = sequence
        self._reader = feed.reader_from(max(end - request.pre_roll_ms * SAMPLE_RATE // 1000, 0))
        self._stop = None if word is None else end + samples(request.seconds)
        self._quiet: _Quiet | None = None
        if word is not None and request.until_silence is not None:
            self._quiet = _Quiet(feed, end, request.until_silence)
        self._begun = False
        self._last = time.monotonic()
        self.ended = False

    def frames(self) -> Iterator[bytes]:
        """Yield the frames that can be sent now; after the last one, `ended` is true."""
        if not self._begun:
            self._begun = True
            yield AudioStart(
                timestamp=milliseconds(self._reader.clock),
                sample=self._reader.clock,
                sequence=self._sequence,
            ).line()
        while not self.ended:
            count = HOP - self._reader.clock % HOP  # as audio comes: nothing waits for the next
            if self._stop is not None:
                count = min(count, self._stop - self._reader.clock)
            if count <= 0:
                yield self.end("complete")
                return
            try:
                block = self._reader.read(count, 0)
            except TimeoutError:
                if self._stop is not None and time.monotonic() - self._last > _WAIT:
                    yield self.end("no-audio")
                return
            if block is None:
                yield self.end("no-audio")
                return
            if self._stop is not None and block.start >= self._stop:
                continue  # a gap reaches past the end
            self._last = time.monotonic()
            yield self._chunk(block)
            if self._quiet is not None and self._quiet.lasts(block):
                yield self.end("silence")

    def end(self, reason: StopReason) -> bytes:
        """Return the frame that ends the stream."""
        self.ended = True
        at = self._reader.clock
        return AudioStop(
            timestamp=milliseconds(at), sample=at, sequence=self._sequence, reason=reason
        ).line()

    def _chunk(self, block: AudioBlock) -> bytes:
        pcm = block.pcm if self._stop is None else block.pcm[: self._stop - block.start]
        return AudioChunk(
            timestamp=milliseconds(block.start), sample=block.start, lost=block.lost
        ).frame(little_endian(pcm))


class _Quiet:
    """Notices when nobody has spoken for a while, by the level of each hop.

    A hop is speech if it is 10 dB above the noise floor before the end of the word.
    """

    def __init__(self, feed: AudioFeed, end: int, duration: float) -> None:
        noise = noise_floor(hop_levels(feed, end))
        self._threshold = max(noise, _QUIETEST) + _SPEECH
        self._spoken = end
        self._duration = samples(duration)

    def lasts(self, block: AudioBlock) -> bool:
        """Take a block; return whether it ends in silence that has lasted long enough."""
        end = block.start + len(block.pcm)
        if end > self._spoken and level(block.pcm) >= self._threshold:
            self._spoken = end
        return end - self._spoken >= self._duration


def hop_levels(feed: AudioFeed, end: int) -> list[float]:
    """Return the level of each of the last `NOISE_HOPS` hops up to sample `end`, in dBFS.

    What is no longer held, or was never recorded, is left out.
    """
    reader, levels = feed.reader_from(max(end - NOISE_HOPS * HOP, 0)), []
    while reader.clock < end:
        try:
            block = reader.read(min(HOP, end - reader.clock), 0)
        except TimeoutError:
            break
        if block is None or block.start >= end:
            break
        levels.append(level(block.pcm))
    return levels
