"""The self-test that a model file carries."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from wakeword_daemon.audio import files
from wakeword_daemon.clock import samples
from wakeword_daemon.engine import crnn
from wakeword_daemon.engine.logmel import LogMel
from wakeword_daemon.engine.modelfile import SelfTest
from wakeword_daemon.pcm import Pcm
from wakeword_daemon.training.data import synthesis

SELF_TEST_SECONDS = 1.8


def self_test_vector(network: crnn.CRNN, phrase: str) -> SelfTest:
    """Record the network's probabilities for the synthetic voice that it recognizes best.

    So the vector tests the network where its probabilities are high. Where no synthesizer is
    installed, noise is used.
    """
    pause = np.zeros(samples(0.25), np.int16)
    front_end = LogMel(network.features)
    vectors: list[SelfTest] = []
    for spoken in _spoken_by_all(phrase):
        pcm = np.concatenate([pause, spoken, pause])[: samples(SELF_TEST_SECONDS)]
        frames = front_end.frames(pcm)
        vectors.append(SelfTest.record(network, frames))
    return max(vectors, key=lambda vector: max(vector.probabilities))


def _spoken_by_all(phrase: str) -> list[Pcm]:
    """Return a phrase by some voices of each fast synthesizer; noise where there is none."""
    names = {"espeak": ("en-us", "en-us+f2"), "flite": ("kal", "awb", "rms", "slt")}
    takes: list[Pcm] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "word.wav"
        for engine in sorted(names.keys() & set(synthesis.engines())):
            for name in names[engine]:
                synthesis.speak(phrase, synthesis.Voice(engine, name), path)
                takes.append(files.read(path))
    if takes:
        return takes
    return [np.random.default_rng(0).normal(0, 3000, samples(0.6)).astype(np.int16)]
