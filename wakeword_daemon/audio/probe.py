"""Tests the microphone: whether it opens, and how loud it is."""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wakeword_daemon.audio import devices
from wakeword_daemon.audio.problems import Problem, examine
from wakeword_daemon.audio.stream import open_microphone
from wakeword_daemon.clock import HOP, samples
from wakeword_daemon.errors import AudioError
from wakeword_daemon.levels import decibels, noise_floor, of_hops
from wakeword_daemon.memory import resident_bytes

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from numpy.typing import NDArray

    from wakeword_daemon.audio.sources import CaptureSettings

_LIMIT = 10.0
"""Seconds beyond the recording's length after which the sound library counts as hung."""


@dataclass(frozen=True, slots=True)
class Levels:
    """How loud a recording is.

    Attributes:
        peak: level of the loudest sample, dBFS; `levels.SILENCE` if all are 0.
        floor: the noise floor, dBFS; see `levels.noise_floor`.
        clipped: share of the samples at full scale, 0 to 1.

    """

    peak: float
    floor: float
    clipped: float


@dataclass(frozen=True, slots=True)
class Probe:
    """The result of testing a microphone.

    Attributes:
        device: its name.
        rate: its sample rate, in Hz.
        levels: the levels of what it recorded.
        problems: what else is wrong with it.
        memory: bytes of RAM that the sound libraries use.
        libraries: names of the files that the process has mapped.

    """

    device: str
    rate: int
    levels: Levels
    problems: list[Problem]
    memory: int
    libraries: frozenset[str]


def probe(settings: CaptureSettings, seconds: float) -> Probe:
    """Record from the microphone for a short time, in another process.

    Raises:
        AudioError: there is no such microphone, it does not open, no audio comes, or the sound
            library hangs.

    """
    # A process, because only that can end a library that hangs, and because it shows how much
    # memory the libraries use. A new one: libpulse does nothing in one that was forked from its
    # user.
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_report, args=(theirs, settings, seconds), daemon=True)
    process.start()
    theirs.close()
    try:
        found = (
            ours.recv() if ours.poll(seconds + _LIMIT) else AudioError("the sound library hangs")
        )
    except EOFError:
        found = AudioError("the sound library crashed")
    finally:
        process.kill()
        process.join()
    if isinstance(found, AudioError):
        raise found
    result: Probe = found
    return result


def measure(pcm: NDArray[np.int16]) -> Levels:
    """Measure a recording of 16 kHz mono, int16[n]; n is at least 1."""
    loud = np.abs(pcm.astype(np.int32))
    return Levels(
        peak=decibels(float(loud.max()) ** 2),
        floor=noise_floor(of_hops(pcm)),
        clipped=float((loud >= 32_767).mean()),  # noqa: PLR2004 - full scale
    )


def _report(pipe: Connection, settings: CaptureSettings, seconds: float) -> None:
    try:
        pipe.send(_look(settings, seconds))
    except AudioError as error:
        pipe.send(error)


def _look(settings: CaptureSettings, seconds: float) -> Probe:
    before = resident_bytes()
    with devices.quiet():
        stream = open_microphone(settings)
    blocks: list[NDArray[np.int16]] = []
    raws: list[NDArray[np.int16]] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (block := stream.poll()) is not None:
            blocks.append(np.array(block.pcm))
            raws.append(np.array(stream.raw))
    pcm = np.concatenate(blocks) if blocks else np.zeros(0, np.int16)
    # The first moments of a device are often silence or a click.
    pcm = pcm[samples(0.5) :]
    if len(pcm) < HOP:
        raise AudioError("no audio arrives from the microphone")
    raw = np.concatenate(raws)[stream.rate // 2 * stream.channels :]
    files = (
        line.split(maxsplit=5)[5:] for line in Path("/proc/self/maps").read_text().splitlines()
    )
    libraries = frozenset(Path(name[0]).name for name in files if name)
    return Probe(
        stream.name,
        stream.rate,
        measure(pcm),
        examine(pcm, raw, stream.channels, settings.channel),
        resident_bytes() - before,
        libraries,
    )
