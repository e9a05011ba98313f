"""What listening costs, on a microphone whose clock is the test's own, so that no load disturbs it.

Naps in a calm room save wake-ups, and no word is reported later for them. Outside naps, each hop
follows a sleep and so costs by the code that it runs.
"""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from support import room
from support.daemon import PATIENCE
from support.virtualmic import START, VirtualMicrophone

import wakeword_daemon
from wakeword_daemon.audio.capture import Capture, CaptureSettings
from wakeword_daemon.audio.ring import RingBuffer
from wakeword_daemon.clock import HOP, SAMPLE_RATE, samples
from wakeword_daemon.engine import Detector, read_model
from wakeword_daemon.resources import shipped_models
from wakeword_daemon.service.hearing import Hearing

PACKAGE = str(Path(wakeword_daemon.__file__).parent)
WORDS = 15
DELIVERIES = {"PulseAudio": 800, "PipeWire": HOP}
"""Samples that a sound server delivers at a time."""
CALLS = 23
"""Functions of this package that a hop calls. Lower it when a hop gets cheaper; raise it only for
what is worth it."""


def listen(microphone, *, naps):
    """Return for each detection its sample, and the sample that was being recorded as it came."""
    found = []
    ring = RingBuffer(10.0)
    hearing = Hearing(
        ring,
        Detector([read_model(shipped_models()["jarvis"])]),
        lambda heard, _: found.append(
            (heard.sample, round((microphone.now - START) * SAMPLE_RATE))
        ),
        lambda _: None,
    )
    capture = Capture(CaptureSettings(naps=naps), ring, lambda _: None, hearing.hear)
    with pytest.MonkeyPatch.context() as patch:
        microphone.plug(patch)
        capture.start()
        microphone.gone.wait(PATIENCE)
        assert capture.stop(PATIENCE)
    assert capture.counters.gaps == 0
    return found


@pytest.mark.parametrize("delivery", DELIVERIES.values(), ids=DELIVERIES)
def test_no_word_comes_later_for_naps(delivery):
    pcm, words = room.spoken_words(WORDS)
    rng = np.random.default_rng(delivery)
    pcm += rng.integers(-2, 3, len(pcm), np.int16)  # no microphone gives exact zeros
    first = int(rng.integers(delivery))
    awake, napping = (VirtualMicrophone(pcm, delivery, first) for _ in range(2))
    without, with_naps = listen(awake, naps=False), listen(napping, naps=True)
    assert len(without) == len(words)
    assert [sample for sample, _ in with_naps] == [sample for sample, _ in without]
    assert napping.polls < 0.9 * awake.polls
    later = np.array([one - other for (_, one), (_, other) in zip(with_naps, without, strict=True)])
    assert max(later) <= samples(0.012), "two looks for audio more, at most"
    assert abs(np.mean(later)) < samples(0.001)


def test_a_hop_calls_no_more_functions_than_before(monkeypatch):
    counted = Counter()

    def count(frame, event, _):
        if event == "call" and PACKAGE in frame.f_code.co_filename:
            counted[frame.f_code.co_qualname] += 1

    microphone = VirtualMicrophone(room.speech(20), HOP, HOP)
    monkeypatch.setattr(Capture, "_run", traced(Capture._run, count))
    listen(microphone, naps=False)
    hops = counted["Hearing.hear"]
    assert hops > 200
    assert counted.total() / hops < CALLS + 0.5, counted.most_common()


def traced(function, count):
    def run(*arguments):
        sys.setprofile(count)
        try:
            return function(*arguments)
        finally:
            sys.setprofile(None)

    return run
