"""A second listener on the same microphone, who knows when a word was really over."""

import subprocess
import threading
import time

import numpy as np
from support.daemon import PATIENCE, end_of_speech, until

from wakeword_daemon.clock import HOP, SAMPLE_RATE


class Witness:
    """Records the microphone beside the daemon, to tell when a word was really over."""

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
        self._process.terminate()
        self._thread.join(PATIENCE)
        self._process.wait(PATIENCE)
        pcm = np.concatenate(self._blocks)
        # What a block brings came just before it, so each block says when the recording began;
        # the earliest answer has the least delay in it.
        ends = np.cumsum([len(block) for block in self._blocks]) / SAMPLE_RATE
        begin = min(came - end for came, end in zip(self._came, ends, strict=True))
        return begin + end_of_speech(pcm) / SAMPLE_RATE

    def _record(self):
        while data := self._process.stdout.read(HOP):
            self._came.append(time.time())
            self._blocks.append(np.frombuffer(data, "<i2"))
