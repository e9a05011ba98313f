"""Recordings: WAV, FLAC, OGG or MP3 in any rate, as 16 kHz mono int16."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wakeword_daemon.audio.resample import Resampler
from wakeword_daemon.clock import SAMPLE_RATE, seconds
from wakeword_daemon.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


def blocks(path: Path | str, frames: int = SAMPLE_RATE) -> Iterator[NDArray[np.int16]]:
    """Return an iterator over a recording: 16 kHz mono, int16[n], about `frames` samples each.

    Channels are mixed. However long the recording is, one block is held at a time. Raises
    AudioError at once where the file is missing or is not audio, and on the way where it holds
    nothing or is damaged.
    """
    return _decode(_open(Path(path)), Path(path), frames)


def read(path: Path | str) -> NDArray[np.int16]:
    """Return a whole recording, int16[n] at 16 kHz mono; raises AudioError as `blocks` does."""
    return np.concatenate(list(blocks(path)))


def _open(path: Path) -> Any:  # noqa: ANN401 -- soundfile has no types
    import soundfile  # noqa: PLC0415 -- a daemon on a microphone never opens a file

    if path.is_dir():
        raise AudioError(f"{path} is a directory; name a recording.")
    try:
        if not path.stat().st_size:
            raise AudioError(f"{path} is empty.")
        return soundfile.SoundFile(path)
    except OSError as error:
        raise AudioError(f"Cannot read {path}: {error.strerror}.") from None
    except soundfile.LibsndfileError:
        raise AudioError(f"{path} is not a recording in WAV, FLAC, OGG or MP3.") from None


def _decode(file: Any, path: Path, frames: int) -> Iterator[NDArray[np.int16]]:  # noqa: ANN401
    import soundfile  # noqa: PLC0415

    with file:
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
            raise AudioError(f"{path} holds no sound: its length is 0.")
