"""Sources of audio: what all have in common, recordings, and standard input."""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from wakeword_daemon.clock import HOP, SAMPLE_RATE, samples, seconds
from wakeword_daemon.errors import AudioError
from wakeword_daemon.pcm import samples_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wakeword_daemon.audio.problems import Problem
    from wakeword_daemon.audio.ring import RingBuffer
    from wakeword_daemon.pcm import Pcm, Samples

logger = logging.getLogger(__name__)

_PATIENCE = 0.25
"""Seconds of the longest wait; after each one, a source checks whether it must stop."""

_REST = 0.5
"""Seconds between two signs of life during a pause, and until a resume takes effect at most."""


@dataclass(frozen=True, slots=True)
class CaptureState:
    """The state of a source."""

    name: Literal["starting", "listening", "degraded", "deaf", "paused"]
    """Starting: no audio yet. Degraded: the audio cannot be real sound. Deaf: no audio comes.
    Paused: the input is closed on request.
    """
    reason: str
    """Why it is degraded or deaf, in a sentence; empty otherwise."""
    device: str | None
    """The device in use."""
    rate: int | None
    """Samples a second of that device."""


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    """Which microphone to record from, and how."""

    device: str | int | None = None
    """The device's name, a part of its name, its index, or None for the default device."""
    channel: int | Literal["mix"] = 1
    """The channel to keep, counted from 1, or "mix" for the mean of all."""
    rate: int | None = None
    """Samples a second; None for 16 kHz if the device can, or else its own rate."""
    naps: bool = True
    """Whether to poll less often while the room is calm."""


@dataclass(slots=True)
class Counters:
    """How often something went wrong so far."""

    gaps: int = 0
    """How often audio was missing."""
    lost: int = 0
    """Samples (16 kHz) that were missing."""
    reopened: int = 0
    """How often the device was opened again."""
    overflows: int = 0
    """How often the sound system reported that it dropped audio."""


class AudioSource(ABC):
    """A thread that writes to a ring.

    Args:
        name: the thread's name.
        ring: the ring that it writes to.
        on_state: called on that thread with every new state, once each; never with "starting".
        on_audio: called on that thread with everything that was written, int16[n], and with no
            samples when the ring is closed; returns whether the next may come a little later.

    Attributes:
        counters: how often something went wrong so far.
        heartbeat: `time.monotonic()` when the thread last made progress. If it stops, the thread
            hangs in a library, and only a new process can help.
        state: the latest state.
        problems: what is wrong with the sound that comes, if the source is a microphone.

    """

    def __init__(
        self,
        name: str,
        ring: RingBuffer,
        on_state: Callable[[CaptureState], None],
        on_audio: Callable[[Samples], bool] = lambda _: False,
    ) -> None:
        self.counters = Counters()
        self.heartbeat = time.monotonic()
        self.state = CaptureState("starting", "", None, None)
        self.problems: tuple[Problem, ...] = ()
        self._ring = ring
        self._on_state = on_state
        self._on_audio = on_audio
        self._stopping = threading.Event()
        self._paused = False
        # A daemon thread, so that the process can end even if the thread hangs.
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread.

        Raises:
            AudioError: this source can never deliver audio.

        """
        self._thread.start()

    def stop(self, timeout: float = 1.0) -> bool:
        """Stop; return whether the thread ended within `timeout` seconds."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def change(self, settings: CaptureSettings) -> None:
        """Use other settings from now on, if the source is a microphone."""
        logger.info("%s is ignored: the input is not a microphone", settings)

    def pause(self) -> None:
        """Close the input until `resume`; the state is "paused" once it is closed."""
        self._paused = True

    def resume(self) -> None:
        """Open the input again."""
        self._paused = False

    @abstractmethod
    def _run(self) -> None:
        """Write audio to the ring until it ends or `_stopping` is set."""

    def _main(self) -> None:
        try:
            self._run()
        except AudioError as error:
            self._say("deaf", str(error))
        except Exception:
            logger.exception("the %s thread failed", self._thread.name)
            self._say("deaf", "Recording failed; the log says how.")

    def _say(
        self,
        name: Literal["listening", "degraded", "deaf", "paused"],
        reason: str = "",
        device: str | None = None,
        rate: int | None = None,
    ) -> None:
        """Report a new state, unless only its reason is new."""
        if (name, device, rate) != (self.state.name, self.state.device, self.state.rate):
            self.state = CaptureState(name, reason, device, rate)
            self._on_state(self.state)

    def _close(self) -> None:
        """Say that no more audio comes."""
        self._ring.close()
        self._on_audio(samples_of(b""))

    def _rest(self) -> None:
        """Wait, with the input closed, until the pause is over or the source is to stop."""
        self._say("paused")
        while self._paused and not self._stopping.wait(_REST):
            self._beat()
        # The next state is reported, even if it is the same as before the pause.
        self.state = CaptureState("starting", "", None, None)

    def _beat(self) -> None:
        self.heartbeat = time.monotonic()


class FileSource(AudioSource):
    """A recording, played into the ring at the speed of a microphone, once or repeatedly.

    The ring is closed at its end.

    Raises:
        AudioError: the file is not a recording.

    """

    def __init__(
        self,
        path: Path | str,
        ring: RingBuffer,
        on_state: Callable[[CaptureState], None],
        on_audio: Callable[[Samples], bool] = lambda _: False,
        *,
        repeat: bool = False,
    ) -> None:
        super().__init__("file", ring, on_state, on_audio)
        self._path = Path(path)
        self._repeat = repeat
        self._blocks = _blocks(path)

    def _run(self) -> None:
        try:
            if not self._paused:
                self._listen()
            self._begin, self._written = time.monotonic(), 0
            while self._play() and self._repeat:
                self._blocks = _blocks(self._path)
            self._say("deaf", "The recording has ended.")
        finally:
            self._close()

    def _play(self) -> bool:
        """Write the recording once; return whether its end was reached."""
        for pcm in self._blocks:
            self._beat()
            if self._paused:
                self._hold()
            self._written += len(pcm)
            due = self._begin + seconds(self._written)
            if self._stopping.wait(max(due - time.monotonic(), 0)):
                return False
            self._ring.write(pcm)
            self._on_audio(pcm)
        return True

    def _listen(self) -> None:
        self._say("listening", device=str(self._path), rate=SAMPLE_RATE)

    def _hold(self) -> None:
        """Wait until the pause is over; then the recording continues where it was."""
        begin = time.monotonic()
        self._rest()
        paused = time.monotonic() - begin
        self._begin += paused
        self._ring.skip(max(samples(paused), 1))
        self._listen()


def _blocks(path: Path | str) -> Iterator[Pcm]:
    from wakeword_daemon.audio import files  # noqa: PLC0415 -- loads numpy

    return files.blocks(path, HOP)


class PcmSource(AudioSource):
    """Raw audio (s16le, 16 kHz, mono) from a pipe, as fast as it comes.

    It waits for the readers of the ring, so nothing is lost. The ring is closed at the end.

    Args:
        stream: the stream to read, which must have a file descriptor.
        ring: the ring to write to.
        on_state: see `AudioSource`.
        on_audio: see `AudioSource`.

    """

    def __init__(
        self,
        stream: BinaryIO,
        ring: RingBuffer,
        on_state: Callable[[CaptureState], None],
        on_audio: Callable[[Samples], bool] = lambda _: False,
    ) -> None:
        super().__init__("pcm", ring, on_state, on_audio)
        # Read without the stream's own buffer, which cannot be polled, and whose lock a blocked
        # thread would hold when the interpreter ends.
        self._descriptor = stream.fileno()
        self._name = str(getattr(stream, "name", "pipe")).strip("<>")

    def _run(self) -> None:
        try:
            if not self._paused:
                self._listen()
            self._copy()
            self._say("deaf", "The input has ended.")
        finally:
            self._close()

    def _listen(self) -> None:
        self._say("listening", device=self._name, rate=SAMPLE_RATE)

    def _copy(self) -> None:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        rest = b""
        skipped = 0
        while not self._stopping.is_set():
            self._beat()
            if self._paused:
                self._say("paused")
            elif self.state.name == "paused":
                self._ring.skip(max(skipped, 1))
                skipped = 0
                self._listen()
            if not poll.poll(_PATIENCE * 1_000):
                continue
            data = os.read(self._descriptor, 2 * SAMPLE_RATE)
            if not data:
                if rest:
                    logger.warning("the input ended within a sample; its last byte is ignored")
                return
            data = rest + data
            count = len(data) // 2
            rest = data[2 * count :]
            if self._paused:  # audio of a pause is not processed later
                skipped += count
                continue
            while not self._ring.wait_for_room(count, _PATIENCE):
                self._beat()
                if self._stopping.is_set():
                    return
            pcm = samples_of(data[: 2 * count])
            self._ring.write(pcm)
            self._on_audio(pcm)
