"""The microphone as an iterator over blocks of audio, for commands at a terminal."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from wakeword_daemon.audio import devices
from wakeword_daemon.audio.portaudio import UnavailableError
from wakeword_daemon.audio.stream import open_microphone
from wakeword_daemon.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wakeword_daemon.audio.sources import CaptureSettings
    from wakeword_daemon.audio.stream import InputStream
    from wakeword_daemon.pcm import Pcm

_PATIENCE = 50
"""Polls in a row without a block after which recording fails; each takes some milliseconds."""


@contextmanager
def microphone(settings: CaptureSettings) -> Iterator[Iterator[Pcm]]:
    """Open a microphone; gives an iterator over its blocks, int16[n] at 16 kHz, about 80 ms each.

    Raises:
        AudioError: it is not there, does not open, or breaks off.

    """
    try:
        with devices.quiet():
            stream = open_microphone(settings)
    except UnavailableError as error:
        raise AudioError(f"{error}; if the daemon holds it: wakeword pause") from None
    try:
        yield _blocks(stream)
    finally:
        stream.close()


def _blocks(stream: InputStream) -> Iterator[Pcm]:
    in_vain = 0
    while True:
        if (block := stream.poll()) is not None:
            in_vain = 0
            yield np.array(block.pcm)
        elif (in_vain := in_vain + 1) > _PATIENCE:
            raise AudioError("no audio arrives from the microphone")
