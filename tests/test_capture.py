"""The microphone, recorded from real sound servers: what is played is what is heard."""

import re
import time

import numpy as np
import pytest
import soundfile
from support.ear import PATIENCE, Ear
from support.soundserver import PulseServer

from wakeword_daemon.audio.capture import CaptureSettings
from wakeword_daemon.clock import HOP, SAMPLE_RATE

pytestmark = pytest.mark.sound


def noise(seconds, seed=1):
    """Noise below 3 kHz, so that every resampler passes it as it is."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.standard_normal(round(seconds * SAMPLE_RATE)))
    spectrum[len(spectrum) * 3 // 8 :] = 0
    pcm = np.fft.irfft(spectrum)
    return np.rint(pcm / np.abs(pcm).max() * 12_000).astype(np.int16)


@pytest.fixture
def wav(tmp_path):
    soundfile.write(tmp_path / "noise.wav", noise(0.8), SAMPLE_RATE)
    return tmp_path / "noise.wav"


@pytest.mark.parametrize("calm", [False, True], ids=["awake", "napping"])
def test_what_is_played_is_recorded_exactly_and_dated(monkeypatch, wav, calm):
    with PulseServer() as server:
        server.adopt(monkeypatch)
        with Ear(calm=calm) as ear:
            begin = time.monotonic()
            ear.wait_for("listening")
            ear.wait_for_audio(0.1)
            before = time.time()
            server.play(wav)
            after = time.time()
            ear.wait_for_audio(0.4)
            at, _ = ear.find(noise(0.8))
            assert np.array_equal(ear.ring.copy(at, at + len(noise(0.8)))[1], noise(0.8))
            # A null sink renders a little ahead of the time, unlike a microphone.
            assert before - 0.2 < ear.ring.wall_time(at) < after
            assert -0.1 < ear.drift(begin) < PATIENCE
            state = ear.states[0]
    assert (state.name, state.reason, state.device, state.rate) == (
        "listening",
        "",
        "default",
        SAMPLE_RATE,
    )
    assert ear.capture.counters.gaps == ear.capture.counters.reopened == 0
    hops = np.diff([0, *ear.writes]) / HOP
    assert np.median(hops) >= 2 if calm else hops.min() < 2


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_a_device_at_another_rate_is_resampled(monkeypatch, wav, rate):
    with PulseServer(rate) as server:
        server.adopt(monkeypatch)
        server.hum()
        with Ear(rate=rate) as ear:
            assert ear.wait_for("listening").rate == rate
            server.play(wav)
            ear.wait_for_audio(0.4)
            _, alike = ear.find(noise(0.8))
    assert alike > 0.93, "half a sample of shift makes it 0.943"


def test_settings_change_without_a_restart(monkeypatch, wav):
    with PulseServer() as server:
        server.adopt(monkeypatch)
        server.hum()
        with Ear() as ear:
            ear.wait_for("listening")
            ear.capture.change(CaptureSettings("room", 1, 48_000))
            ear.wait_until(lambda: ear.states[-1].device == "room")
            server.play(wav)
            ear.wait_for_audio(0.4)
            _, alike = ear.find(noise(0.8))
    assert alike > 0.93
    assert [(state.name, state.device, state.rate) for state in ear.states] == [
        ("listening", "default", 16_000),
        ("listening", "room", 48_000),
    ]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"device": "USB"}, r'No input device is called "USB"; choose one of: .*"default"'),
        ({"channel": 64}, "default has no channel 64: there are 32"),
    ],
)
def test_settings_that_do_not_fit_the_device_are_explained(monkeypatch, settings, reason):
    with PulseServer() as server:
        server.adopt(monkeypatch)
        with Ear(**settings) as ear:
            state = ear.wait_for("deaf")
            ear.capture.change(CaptureSettings())
            ear.wait_for("listening")
    assert ear.names == ["deaf", "listening"]
    assert re.search(reason, state.reason)


def test_changed_settings_that_do_not_fit_are_reported(monkeypatch):
    with PulseServer() as server:
        server.adopt(monkeypatch)
        with Ear("USB") as ear:
            ear.wait_for("deaf")
            ear.capture.change(CaptureSettings("Webcam"))
            ear.wait_until(lambda: '"Webcam"' in ear.states[-1].reason)
    assert ear.names == ["deaf", "deaf"]
