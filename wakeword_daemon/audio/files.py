"""Reads recordings as 16 kHz mono int16: WAV, FLAC, OGG or MP3 of any rate, and raw samples."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wakeword_daemon.audio.resample import Resampler
from wakeword_daemon.buffers import view
from wakeword_daemon.clock import HOP, SAMPLE_RATE, seconds
from wakeword_daemon.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from wakeword_daemon.pcm import Pcm, Samples

_RATES = range(4_000, 384_001)
_CHANNELS = range(1, 33)
"""What is believed of a file's header. A second at 1 Hz would become 16,000 samples."""
_RAW = frozenset({".raw", ".pcm"})
"""Suffixes of files with raw samples: s16le, 16 kHz, mono, as in pipes."""


def blocks(path: Path | str, frames: int = SAMPLE_RATE) -> Iterator[Pcm]:
    """Return an iterator over a recording: 16 kHz mono, int16[n], about `frames` samples each.

    Channels are mixed. Only one block at a time is in memory.

    Raises:
        AudioError: the file is missing or not a recording; or, from the iterator, it is empty or
            damaged.

    """
    return _decode(_open(Path(path)), Path(path), frames)


def read(path: Path | str) -> Pcm:
    """Return a whole recording, int16[n] at 16 kHz mono.

    Raises:
        AudioError: as in `blocks`.

    """
    return np.concatenate(list(blocks(path)))


def live_blocks(stream: BinaryIO) -> Iterator[Pcm]:
    """Yield raw samples (s16le, 16 kHz, mono) as they come, int16[n], at most a hop each.

    Args:
        stream: a buffered reader such as `sys.stdin.buffer`.

    Raises:
        AudioError: it ended before the first sample.

    """
    rest = b""
    empty = True
    while data := stream.read1(2 * HOP):  # type: ignore[attr-defined]
        data = rest + data
        whole = len(data) & ~1
        rest = data[whole:]
        if whole:
            empty = False
            yield np.frombuffer(data[:whole], "<i2").astype(np.int16)
    if empty:
        raise AudioError("there was no sound on standard input; s16le at 16 kHz, mono, is expected")


def flac(pcm: Samples) -> bytes:
    """Return samples, int16[n] at 16 kHz, as a FLAC file of 16 bits."""
    import soundfile  # noqa: PLC0415 -- only who keeps recordings pays for it

    # Into a descriptor: writing to a file object needs callbacks, and the service's sandbox forbids
    # those.
    memory = os.memfd_create("flac")
    try:
        with soundfile.SoundFile(
            os.dup(memory), "w", SAMPLE_RATE, 1, "PCM_16", format="FLAC"
        ) as file:
            file.buffer_write(view(pcm), "int16")
        return os.pread(memory, os.fstat(memory).st_size, 0)
    finally:
        os.close(memory)


def _open(path: Path) -> Any:  # noqa: ANN401 -- soundfile has no types
    import soundfile  # noqa: PLC0415 -- a daemon with a microphone opens no file

    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise AudioError(f"{path} is a folder; give a recording in it.")
        if not stat.S_ISREG(status.st_mode):
            raise AudioError(
                f"{path} is not a file; to read a pipe, give - and send s16le at 16 kHz."
            )
        if not status.st_size:
            raise AudioError(f"{path} is empty.")
        with path.open("rb"):  # the library does not say why it fails
            pass
        if path.suffix.lower() not in _RAW:
            return soundfile.SoundFile(path)
        return soundfile.SoundFile(
            path, samplerate=SAMPLE_RATE, channels=1, format="RAW", subtype="PCM_16",
            endian="LITTLE",
        )  # fmt: skip
    except OSError as error:
        raise AudioError(f"Cannot read {path}: {error.strerror}.") from None
    except (soundfile.LibsndfileError, TypeError):
        raise AudioError(
            f"{path} is not a recording in WAV, FLAC, OGG or MP3; ffmpeg converts most others:"
            f" ffmpeg -i {shlex.quote(str(path))} -ac 1 -ar 16000 converted.wav"
        ) from None


def _decode(file: Any, path: Path, frames: int) -> Iterator[Pcm]:  # noqa: ANN401
    import soundfile  # noqa: PLC0415

    with file:
        if file.samplerate not in _RATES or file.channels not in _CHANNELS:
            raise AudioError(
                f"{path} claims {file.channels} channels at {file.samplerate} Hz; up to"
                f" {_CHANNELS[-1]} at {_RATES[0]} to {_RATES[-1]} Hz are read."
            )
        resampler = Resampler(file.samplerate, file.channels, "mix")
        size = max(frames * file.samplerate // SAMPLE_RATE, 1)
        done = 0
        try:
            # As float32, because libsndfile turns the ±1 of a float file into an int16 of 0 or ±1.
            while len(pcm := file.read(size, dtype="float32", always_2d=True)):
                scaled = np.clip(np.rint(np.nan_to_num(pcm) * 32_768), -32_768, 32_767)
                out = resampler.push(scaled.astype(np.int16))
                done += len(out)
                if len(out):
                    yield out
        except soundfile.LibsndfileError:
            raise AudioError(f"{path} is damaged after {seconds(done):.1f} s.") from None
        out = resampler.push(np.zeros((0, file.channels), np.int16), last=True)
        if len(out):
            yield out
        elif not done:
            raise AudioError(f"{path} has no sound: its length is 0.")
