"""A second recording of the same microphone, which shows when a word really ended."""

import subprocess
import threading
import time

import numpy as np
from support.daemon import PATIENCE, end_of_speech, until

from wakeword_daemon.clock import HOP, SAMPLE_RATE


class Witness:
    """Records the microphone beside the daemon, to know when a word really ended."""

    def __init__(self, server):
        self._process = subprocess.Popen(
            [
                *("parec", "--device=mic", "--format=s16le", "--rate=16000", "--channels=1"),
                "--latency-msec=20",
            ],
            env=server.env(),
            stdout=subprocess.PIPE,
        )
        self._blocks = []
        self._came = []
        self._thread = threading.Thread(target=self._record, daemon=True)
        self._thread.start()
        until(lambda: self._came, "a recording")

    def end_of_speech(self):
        """Stop; return the Unix time of the end of the last loud sample."""
        begin, pcm = self._stop()
        return begin + end_of_speech(pcm) / SAMPLE_RATE

    def begin_of(self, sound):
        """Stop; return the Unix time at which a sound began that was played, int16[n]."""
        begin, pcm = self._stop()
        size = 1 << (len(pcm) + len(sound)).bit_length()
        spectrum = np.fft.rfft(pcm.astype(float), size) * np.fft.rfft(sound, size).conj()
        return begin + int(np.argmax(np.fft.irfft(spectrum, size)[: len(pcm)])) / SAMPLE_RATE

    def _stop(self):
        """Return when the recording began, in Unix time, and all of it."""
        self._process.terminate()
        self._thread.join(PATIENCE)
        self._process.wait(PATIENCE)
        # What a block brings came just before it, so each block says when the recording began;
        # the earliest answer has the least delay in it.
        ends = np.cumsum([len(block) for block in self._blocks]) / SAMPLE_RATE
        begin = min(came - end for came, end in zip(self._came, ends, strict=True))
        return begin, np.concatenate(self._blocks)

    def _record(self):
        while data := self._process.stdout.read(HOP):
            self._came.append(time.time())
            self._blocks.append(np.frombuffer(data, "<i2"))
