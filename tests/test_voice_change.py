"""Recordings changed by Praat have the requested pitch, formants and length."""

import random
import subprocess

import numpy as np
import parselmouth
import pytest

from wakeword_daemon.audio import files
from wakeword_daemon.errors import TrainingError
from wakeword_daemon.training.data.voice_change import (
    FORMANTS,
    LENGTHS,
    PITCHES,
    VoiceChange,
    change_voice,
    drawn_changes,
)


@pytest.fixture(scope="module")
def take(tmp_path_factory):
    path = tmp_path_factory.mktemp("take") / "take.wav"
    subprocess.run(["espeak-ng", "-w", path, "computer, where are you now"], check=True)
    return files.read(path)


def pitch(pcm):
    found = parselmouth.Sound(pcm / 32_768, 16_000).to_pitch(None, 75, 600)
    return np.median(found.selected_array["frequency"][found.selected_array["frequency"] > 0])


def envelope(pcm):
    """Return the smoothed spectrum of the loud parts, on 400 steps from 250 to 5,000 Hz."""
    frames = np.lib.stride_tricks.sliding_window_view(pcm.astype(float), 640)[::160]
    power = np.abs(np.fft.rfft(frames * np.hanning(640), 2048)) ** 2
    energy = power.sum(axis=1)
    mean = power[energy > energy.max() / 50].mean(axis=0)
    smooth = np.log(np.convolve(mean, np.hanning(60), "same"))
    return np.interp(np.geomspace(250, 5000, 400), np.arange(1025) * 16_000 / 2048, smooth)


def stretch(before, after):
    """Return the factor by which the second envelope lies higher than the first."""
    likeness = {
        step: np.corrcoef(
            before[max(0, -step) : 400 - max(0, step)], after[max(0, step) : 400 - max(0, -step)]
        )[0, 1]
        for step in range(-40, 41)
    }
    return 20 ** (max(likeness, key=likeness.get) / 399)


def loudness(pcm):
    return np.sqrt(np.mean(pcm.astype(float) ** 2))


@pytest.mark.parametrize(
    "change",
    [
        VoiceChange(pitch=0.75),
        VoiceChange(pitch=1.8),
        VoiceChange(formants=0.85),
        VoiceChange(formants=1.2),
        VoiceChange(length=0.8),
        VoiceChange(length=1.6),
        VoiceChange(pitch=1.6, formants=1.2, length=1.3),
    ],
    ids=str,
)
def test_only_the_requested_property_changes(take, change):
    changed = change_voice(take, change)
    assert changed.dtype == np.int16
    assert len(changed) / len(take) == pytest.approx(change.length, rel=0.01)
    assert pitch(changed) / pitch(take) == pytest.approx(change.pitch, rel=0.08)
    assert stretch(envelope(take), envelope(changed)) == pytest.approx(change.formants, rel=0.04)
    assert loudness(changed) == pytest.approx(loudness(take), rel=0.05)


def test_no_change_gives_the_same_recording(take):
    assert np.array_equal(change_voice(take, VoiceChange()), take)


@pytest.mark.parametrize("level", [0, 1000])
def test_silence_and_noise_have_no_pitch_to_change(level, recwarn):
    noise = np.random.default_rng(0).normal(0, level, 16_000).astype(np.int16)
    changed = change_voice(noise, VoiceChange(1.5, 1.1, 1.3))
    assert len(changed) == 20_800
    assert loudness(changed) == pytest.approx(level, rel=0.05)
    assert not recwarn


def test_too_short_a_recording_is_refused():
    with pytest.raises(TrainingError, match="too short"):
        change_voice(np.ones(500, np.int16), VoiceChange(1.5))


def test_random_changes_cover_their_ranges_alone_and_combined():
    drawn = drawn_changes(random.Random(1))  # noqa: S311 - a draw, not a secret
    changes = [next(drawn) for _ in range(600)]
    for name, (low, high) in {"pitch": PITCHES, "formants": FORMANTS, "length": LENGTHS}.items():
        values = [getattr(change, name) for change in changes]
        assert low <= min(values) < low * 1.05
        assert high * 0.95 < max(values) <= high
        assert 1.0 in values
    assert any(1.0 not in (c.pitch, c.formants, c.length) for c in changes)
    assert VoiceChange() not in changes


def test_the_same_change_gives_the_same_bytes():
    noise = np.random.default_rng(0).normal(0, 1000, 16_000).astype(np.int16)
    change = VoiceChange(1.5, 1.1, 1.3)
    assert (change_voice(noise, change) == change_voice(noise, change)).all()
