"""The detector as an embedding program uses it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.models import TINY, leaning_model, random_model
from support.recordings import noise

from wakeword_daemon.clock import HOP, SAMPLE_RATE
from wakeword_daemon.engine import Detector, WordSettings
from wakeword_daemon.errors import ConfigError, ModelError


def eager(name="test", **more):
    """A word that hears itself in anything: the first steps fire."""
    return leaning_model(name, odds=8.0, **more)


def test_steps_come_every_80_ms_with_the_end_of_their_audio():
    steps = Detector([random_model()]).scores(noise(1))
    assert [step.sample for step in steps] == list(range(3440, SAMPLE_RATE + 1, HOP))
    assert all(0 <= step.scores["test"] <= 1 for step in steps)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 5000), min_size=1, max_size=6))
def test_detections_do_not_depend_on_the_split(sizes):
    pcm = noise(2)
    whole = Detector([eager()], {"test": WordSettings(refractory=0.3)}).push(pcm)
    detector = Detector([eager()], {"test": WordSettings(refractory=0.3)})
    found, at, index = [], 0, 0
    while at < len(pcm):
        size = sizes[index % len(sizes)]
        found += detector.push(pcm[at : at + size])
        at, index = at + size, index + 1
    assert found == [replace(d, score=pytest.approx(d.score, abs=1e-5)) for d in whole]
    assert whole


def test_the_sample_clock_is_exact_after_years():
    pcm = noise(2)
    fresh = Detector([eager()]).push(pcm)
    later = Detector([eager()])
    years = 10 * 365 * 24 * 3600 * SAMPLE_RATE
    later.push(noise(1, seed=1))
    later.reset(years)
    shifted = later.push(pcm)
    assert [d.sample - years for d in shifted] == [d.sample for d in fresh]
    assert [d.score for d in shifted] == [d.score for d in fresh]
    assert later.clock == years + len(pcm)


def test_a_reset_without_a_gap_keeps_the_clock():
    detector = Detector([random_model()])
    detector.push(noise(1))
    detector.reset()
    assert detector.clock == SAMPLE_RATE
    assert detector.scores(noise(1))[0].sample == SAMPLE_RATE + 3440


def test_the_level_is_the_rms_of_the_second_before():
    quiet, loud = noise(1.5, level=100), noise(1.5, level=8000)
    detector = Detector([eager()], {"test": WordSettings(threshold=0.9)})
    (first,) = detector.push(quiet)
    assert first.level == pytest.approx(20 * np.log10(100 / 32768), abs=0.5)
    detector.reset()
    detector.push(loud[:100])
    (second,) = [d for hop in np.split(loud[100:23140], 18) for d in detector.push(hop)]
    assert second.level == pytest.approx(20 * np.log10(8000 / 32768), abs=0.5)


def test_digital_silence_has_the_lowest_level():
    (detection,) = Detector([eager()]).push(np.zeros(SAMPLE_RATE, np.int16))
    assert detection.level == -100.0


def test_networks_of_equal_and_different_shapes_run_together():
    other = replace(TINY, hidden=9, steps=5)
    models = [random_model("a"), random_model("b", seed=1), random_model("c", architecture=other)]
    pcm = noise(2)
    together = Detector(models).scores(pcm)
    for model in models:
        alone = Detector([model]).scores(pcm)
        assert [s.scores[model.name] for s in together] == pytest.approx(
            [s.scores[model.name] for s in alone], abs=1e-6
        )


def test_each_word_has_its_own_settings():
    models = [eager("a"), eager("b")]
    found = Detector(models, {"a": WordSettings(threshold=1.0)}).push(noise(1))
    assert [d.word for d in found] == ["b"]


def test_models_that_cannot_run_together_are_refused():
    with pytest.raises(ModelError, match="different words"):
        Detector([random_model("a"), random_model("a")])
    with pytest.raises(ModelError, match="one or more models"):
        Detector([])
    other = random_model("b", architecture=replace(TINY, stride_frames=4))
    with pytest.raises(ModelError, match="a, b cannot run together"):
        Detector([random_model("a"), other])


def test_the_caller_may_reuse_its_buffer():
    detector = Detector([eager()])
    buffer = np.empty(HOP, np.int16)
    found = []
    for hop in np.split(noise(0.8, level=1000), 10):
        buffer[:] = hop
        found += detector.push(buffer)
        buffer[:] = 32767
    assert found[0].level == pytest.approx(20 * np.log10(1000 / 32768), abs=0.5)


@pytest.mark.parametrize(
    ("pcm", "sentence"),
    [
        (np.zeros(1280, np.float32), r"not float32: convert them with \(pcm \* 32767\)"),
        (np.zeros(1280), "not float64: convert them with"),
        (np.zeros(1280, np.int32), r"not int32: .*pcm >> 16"),
        (np.zeros(1280, ">i2"), r"not >i2: .*pcm\.astype\(np\.int16\)"),
        (np.zeros(1280, np.uint8), "not uint8: .*16 bits"),
        (np.zeros((1280, 2), np.int16), r"one dimension, not in the shape \(1280, 2\)"),
        (np.int16(3), "one dimension"),
    ],
)
def test_other_sample_types_are_refused_with_the_conversion(pcm, sentence):
    detector = Detector([random_model()])
    for hear in (detector.push, detector.scores):
        with pytest.raises((TypeError, ValueError), match=sentence):
            hear(pcm)
    assert detector.clock == 0


def test_the_advice_for_float_samples_gives_the_same_scores():
    pcm = noise(1)
    floats = pcm / 32767
    converted = (floats * 32767).clip(-32768, 32767).astype(np.int16)
    assert np.abs(converted.astype(int) - pcm).max() <= 1
    assert Detector([random_model()]).scores(converted)


def test_strided_and_empty_arrays_are_accepted():
    stereo = np.repeat(noise(1)[:, None], 2, axis=1)
    expected = Detector([random_model()]).scores(noise(1))
    detector = Detector([random_model()])
    assert detector.scores(stereo[:0, 0]) == []
    assert detector.scores(stereo[:, 0]) == expected
    detector.reset(0)
    unaligned = np.frombuffer(b"x" + noise(1).tobytes(), np.int16, offset=1)
    assert detector.scores(unaligned) == expected


def test_settings_of_an_unknown_word_are_refused():
    with pytest.raises(ConfigError, match=r"settings for 'b', but no model .* the words are a"):
        Detector([random_model("a")], {"b": WordSettings()})
