"""The resampler: the same sound at 16 kHz, however the stream is split."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeword_daemon.audio.resample import Resampler
from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.errors import AudioError

NOTHING = np.zeros(0, np.int16)


def tone(rate, seconds=1.0, frequency=440.0, level=10_000):
    t = np.arange(round(rate * seconds)) / rate
    return np.rint(level * np.sin(2 * np.pi * frequency * t)).astype(np.int16)


def whole(rate, pcm, channels=1, channel=1):
    return Resampler(rate, channels, channel).push(pcm, last=True)


@settings(deadline=None)
@given(
    rate=st.sampled_from([8_000, 16_000, 44_100, 48_000]),
    channels=st.integers(1, 3),
    sizes=st.lists(st.integers(0, 5_000), max_size=12),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_split_equals_one_piece(rate, channels, sizes, seed):
    frames = np.random.default_rng(seed).integers(-32_768, 32_768, (sum(sizes), channels), np.int16)
    resampler = Resampler(rate, channels, "mix")
    pieces = [resampler.push(piece) for piece in np.split(frames, np.cumsum(sizes)) if len(piece)]
    pieces.append(resampler.push(np.zeros((0, channels), np.int16), last=True))
    assert np.array_equal(np.concatenate(pieces), whole(rate, frames, channels, "mix"))


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
def test_the_sound_stays_the_same(rate):
    out = whole(rate, tone(rate))
    want = tone(SAMPLE_RATE)
    assert len(out) == len(want)
    middle = slice(1_000, -1_000)
    error = out[middle].astype(float) - want[middle]
    assert np.abs(error).max() < 20, "54 dB below the tone, without a shift"


def test_frequencies_above_the_new_band_are_removed():
    assert np.abs(whole(48_000, tone(48_000, frequency=12_000))[1_000:-1_000]).max() <= 2


def test_loud_samples_are_clipped_and_do_not_wrap_around():
    square = np.sign(tone(48_000, frequency=100)).astype(np.int16) * np.int16(32_767)
    out = whole(48_000, square).astype(int)
    assert np.abs(np.diff(out)).max() < 40_000


def test_the_delay_of_the_filter_is_short():
    resampler = Resampler(48_000)
    given_, got = 0, 0
    for block in np.split(tone(48_000, 4.0), 50):
        given_ += len(block)
        got += len(resampler.push(block))
        assert given_ / 3 - got <= 0.040 * SAMPLE_RATE


@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_a_channel_is_chosen_or_all_are_mixed(rate):
    left, right = tone(rate), np.zeros(rate, np.int16)
    stereo = np.stack((left, right), axis=1)
    mono = whole(rate, left)
    assert np.array_equal(whole(rate, stereo, 2, 1), mono)
    assert not whole(rate, stereo.ravel(), 2, 2).any()
    assert np.abs(whole(rate, stereo, 2, "mix") - mono / 2).max() <= 1


@pytest.mark.parametrize("channel", [0, 3])
def test_a_missing_channel_is_refused(channel):
    with pytest.raises(AudioError, match=f"no channel {channel}: the input has 2"):
        Resampler(16_000, 2, channel)
