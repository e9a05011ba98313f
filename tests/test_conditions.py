"""Each condition of a report does to a take what its name says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeword_daemon.clock import SAMPLE_RATE, samples
from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.training.measure import channel, scenes
from wakeword_daemon.training.measure.channel import Background, rms, spoken_part, transmit, trimmed
from wakeword_daemon.training.measure.conditions import (
    CLEAN,
    CONDITIONS,
    HEADSET,
    NOISE,
    ROOM,
    Condition,
)
from wakeword_daemon.training.measure.evaluation import OtherSpeech, SpeechSet, render
from wakeword_daemon.training.measure.scenes import SpokenTake, Surroundings, scene
from wakeword_daemon.training.measure.thresholds import DRAWS, in_draws

BY_NAME = {condition.name: condition for condition in CONDITIONS}
WORD = 0.6
"""Seconds of the word in a take, half a second of faint noise on either side."""


def tone(seconds, hertz=220.0, level=6000.0):
    """Return a vowel-like sound: a fundamental with harmonics."""
    time = np.arange(samples(seconds)) / SAMPLE_RATE
    wave = sum(np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, 12))
    return (level * wave / np.abs(wave).max()).astype(np.int16)


def hiss(seconds, level=4.0, seed=0):
    return np.random.default_rng(seed).normal(0, level, samples(seconds)).astype(np.int16)


def take(seed=0):
    pcm = np.concatenate([hiss(0.5, seed=seed), tone(WORD), hiss(0.5, seed=seed + 1)])
    return SpokenTake(pcm, samples(0.5), samples(0.5 + WORD), "somebody")


def around(rooms=()):
    sentences = [
        np.concatenate([hiss(0.4), tone(2.0, hertz), hiss(0.4)]) for hertz in (130.0, 300.0)
    ]
    noise = [hiss(3.0, level=500.0, seed=9)]
    return Surroundings(np.concatenate(sentences), sentences, Background(noise, rooms, sentences))


def laid_out(name, seed=(0, 0)):
    return scene(take(), take(5), BY_NAME[name], around(), seed)


def loud(pcm):
    """Return for each 10 ms whether there is sound."""
    frames = pcm[: len(pcm) // 160 * 160].reshape(-1, 160).astype(float)
    return np.sqrt((frames**2).mean(axis=1)) > 200


def quiet_after(pcm, sample):
    """Return the seconds from a sample to the next sound."""
    heard = np.flatnonzero(np.abs(pcm[sample:].astype(int)) > 100)
    return heard[0] / SAMPLE_RATE


def test_the_spoken_part_keeps_a_faint_final_fricative():
    fricative = np.diff(hiss(0.15, level=250.0, seed=3), prepend=np.int16(0)).astype(np.int16)
    pcm = np.concatenate([hiss(0.5), tone(0.5), fricative, hiss(0.5)])
    part = spoken_part(pcm)
    assert part.start == pytest.approx(samples(0.5), abs=300)
    assert part.stop == pytest.approx(samples(1.15), abs=300)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 50, 100, 300]))
@settings(max_examples=20)
def test_a_command_follows_after_the_given_milliseconds(seed, milliseconds):
    pcm, word = laid_out(f"run-on {milliseconds} ms", (seed, 0))
    # The edges of what is trimmed lie within a half smoothing window of the sound.
    gap = quiet_after(pcm, word.stop - samples(0.02)) if not milliseconds else None
    if gap is not None:
        assert gap < 0.03
        assert loud(pcm[word.stop : word.stop + samples(1.0)])[3:].all()
        return
    after = pcm[word.stop + samples(0.005) : word.stop + samples(milliseconds / 1000)]
    assert np.abs(after.astype(int)).max(initial=0) < 100
    assert quiet_after(pcm, word.stop + samples(0.005)) < milliseconds / 1000 + 0.03


def test_the_command_is_as_loud_as_the_word():
    pcm, word = laid_out("run-on 0 ms")
    order = pcm[word.stop + samples(0.1) : word.stop + samples(1.0)]
    assert rms(order) == pytest.approx(rms(pcm[word.start : word.stop]), rel=0.15)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_other_speech_ends_just_before_a_word_that_runs_on(seed):
    pcm, word = laid_out("run-in", (seed, 0))
    before = loud(pcm[: word.start])
    assert before[-13:].any()  # within 100 ms, and what the trimming leaves
    assert before[-100:-13].all()


@pytest.mark.parametrize(("name", "gap"), [("again after 0.7 s", 0.7), ("again after 1.0 s", 1.0)])
def test_the_word_is_spoken_twice(name, gap):
    pcm, word = laid_out(name)
    first = trimmed(take(5).pcm)
    assert word.start - word.said_before == len(first) + samples(gap)
    assert loud(pcm[word.said_before : word.said_before + len(first)])[3:-3].all()
    assert not loud(pcm[word.start - samples(gap - 0.05) : word.start]).any()
    assert loud(pcm[word.start : word.stop])[3:-3].all()


def test_noise_hides_the_first_of_two_words():
    clear, word = laid_out("again after 0.7 s")
    masked, _ = laid_out("again, first masked")
    first = slice(word.said_before, word.start - samples(0.7))
    noise = masked[first].astype(float) - clear[first]
    assert 20 * np.log10(rms(clear[first]) / rms(noise)) == pytest.approx(-10, abs=0.5)
    second = slice(word.start - samples(0.5), None)
    assert (masked[second] == clear[second]).all()


@pytest.mark.parametrize("name", ["slow 1.3", "slow 1.6", "fast 1.4", "child, slow 1.3"])
def test_a_slow_word_lasts_longer_and_a_fast_one_shorter(name):
    pytest.importorskip("parselmouth")
    _, usual = laid_out("clean")
    _, changed = laid_out(name)
    factor = (changed.stop - changed.start) / (usual.stop - usual.start)
    assert factor == pytest.approx(BY_NAME[name].length, rel=0.03)


def test_a_raised_voice_is_higher():
    pytest.importorskip("parselmouth")
    pcm, word = laid_out("high 1.4")
    spectrum = np.abs(np.fft.rfft(pcm[word.start : word.stop] * np.hanning(word.stop - word.start)))
    lowest = np.argmax(spectrum) * SAMPLE_RATE / (word.stop - word.start)
    assert lowest == pytest.approx(1.4 * 220, rel=0.05)


@pytest.mark.parametrize("name", ["noise 10 dB", "babble 10 dB", "babble 5 dB"])
def test_noise_and_babble_have_the_given_level(name):
    clean, word = laid_out("clean")
    noisy, _ = laid_out(name)
    added = noisy.astype(float) - clean
    ratio = 20 * np.log10(rms(clean[word.start : word.stop]) / rms(added))
    assert ratio == pytest.approx(BY_NAME[name].snr_db, abs=0.5)


def test_a_headset_passes_only_the_telephone_band():
    pcm = np.random.default_rng(0).normal(0, 3000, 2 * SAMPLE_RATE).astype(np.int16)
    heard = transmit(pcm, HEADSET, around().background, np.random.default_rng(0)).astype(float)
    power = np.abs(np.fft.rfft(heard * np.hanning(len(heard)))) ** 2
    hertz = np.fft.rfftfreq(len(heard), 1 / SAMPLE_RATE)
    inside = (hertz > 350) & (hertz < 3350)
    assert power[hertz > 4200].mean() < 1e-4 * power[inside].mean()
    assert power[hertz < 80].mean() < 1e-4 * power[inside].mean()
    assert len(heard) == len(pcm)


@pytest.mark.parametrize(("hertz", "loss"), [(150, 48), (300, 6), (1000, 0), (3400, 6)])
def test_a_headset_filters_twice_by_24_decibels_an_octave(hertz, loss):
    wave = 8000 * np.sin(2 * np.pi * hertz * np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE)
    heard = channel.through_headset(wave)[4000:-4000]
    assert 20 * np.log10(rms(wave[4000:-4000]) / rms(heard)) == pytest.approx(loss, abs=0.7)


def test_a_headset_does_not_ring():
    click = np.zeros(SAMPLE_RATE)
    click[SAMPLE_RATE // 2] = 10_000
    heard = channel.through_headset(click)
    apart = np.abs(np.arange(SAMPLE_RATE) - SAMPLE_RATE // 2) > samples(0.02)
    assert np.sum(heard[apart] ** 2) < 1e-4 * np.sum(heard**2)


def test_mu_law_adds_the_quantization_noise_of_eight_bits():
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    wave = 8000 * np.sin(2 * np.pi * 1000 * time)
    error = channel.through_headset(wave)[4000:-4000] - wave[4000:-4000]
    assert 30 < 20 * np.log10(rms(wave) / rms(error)) < 50  # G.711: about 38 dB


def test_clipping_cuts_fifteen_decibels():
    pcm, word = laid_out("clipped 15 dB")
    spoken = np.abs(pcm[word.start : word.stop].astype(int))
    assert spoken.max() >= 32_767
    clean, _ = laid_out("clean")
    usual = np.abs(clean[word.start : word.stop].astype(int))
    share = np.mean(usual > usual.max() * 10 ** (-15 / 20))
    assert np.mean(spoken >= 32_767) == pytest.approx(share, abs=0.01)


def test_a_measured_room_is_a_convolution_with_its_impulse_response():
    click = np.zeros(SAMPLE_RATE, np.int16)
    click[1000] = 10_000
    response = np.zeros(4000)
    response[[0, 3000]] = 4.0, 3.0
    heard = transmit(click, ROOM, around([response]).background, np.random.default_rng(0))
    assert heard[1000] == 8000
    assert heard[4000] == 6000
    assert np.count_nonzero(heard) == 2


def test_a_room_makes_nothing_louder():
    word = np.random.default_rng(0).normal(0, 3000, 2 * SAMPLE_RATE).astype(np.int16)
    for seed in range(5):
        heard = transmit(word, ROOM, around().background, np.random.default_rng(seed))
        assert rms(heard) == pytest.approx(rms(word), rel=0.05)


def test_a_simulated_room_has_a_decaying_tail():
    word = np.concatenate([tone(0.5), np.zeros(SAMPLE_RATE, np.int16)])
    heard = transmit(word, ROOM, around().background, np.random.default_rng(0))
    assert loud(heard[samples(0.5) : samples(0.6)]).all()


def test_without_noise_nothing_is_added():
    nothing = Background([], [], [])
    pcm = tone(0.5)
    assert (transmit(pcm, NOISE, nothing, np.random.default_rng(0)) == pcm).all()


def test_the_speech_before_a_take_is_the_same_in_every_condition():
    streams = {}
    for name in ("clean", "run-on 0 ms", "again after 0.7 s"):
        streams[name], _ = laid_out(name, (3, 7))
    lead = samples(scenes.LEAD)
    assert (streams["clean"][:lead] == streams["run-on 0 ms"][:lead]).all()
    assert (streams["clean"][:lead] == streams["again after 0.7 s"][:lead]).all()
    assert (laid_out("clean", (3, 8))[0][:lead] != streams["clean"][:lead]).any()


def test_false_accepts_are_counted_by_source():
    others = [OtherSpeech(tone(2.0), "one"), OtherSpeech(tone(61.0, 150.0), "other")]
    data = SpeechSet([take()], others, noise=[hiss(1.0, level=300.0)])
    counted = render(data, NOISE)
    assert {source: len(pcm) for source, pcm in counted.others.items()} == {"one": 1, "other": 2}
    assert counted.seconds == {"one": 2.0, "other": 61.0}
    assert not render(data, BY_NAME["run-on 0 ms"]).others
    assert [c.name for c in CONDITIONS if c.counts_false_accepts] == [
        "clean", "noise 10 dB", "room", "headset",
    ]  # fmt: skip


def test_the_default_threshold_is_looked_for_in_several_draws_of_noise_and_rooms():
    others = [OtherSpeech(tone(2.0), "one")]
    data = SpeechSet([take()], others, [hiss(9.0, level=300.0)])
    for condition, different in ((CLEAN, 1), (HEADSET, 1), (NOISE, DRAWS), (ROOM, DRAWS)):
        draws = [*in_draws(data, FeatureSettings(), condition)]
        assert len(draws) == different
        assert len({streams.others["one"].tobytes() for streams in draws}) == different


def test_conditions_that_need_praat_are_named_where_it_is_missing(monkeypatch):
    from wakeword_daemon.training.measure import conditions  # noqa: PLC0415

    monkeypatch.setattr(conditions.importlib.util, "find_spec", lambda _: None)
    here, missing = conditions.measurable()
    assert missing == [
        "slow 1.3", "slow 1.6", "fast 1.4", "high 1.4", "high 1.8", "child", "child, slow 1.3"
    ]  # fmt: skip
    assert Condition("clean", counts_false_accepts=True) in here
