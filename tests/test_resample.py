"""The resamplers: the same sound at 16 kHz, however the stream is split.

Without a compiler both are the same, and both pass all the same.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeword_daemon.audio.resample import MicrophoneResampler, Resampler
from wakeword_daemon.clock import HOP, SAMPLE_RATE
from wakeword_daemon.errors import AudioError

BOTH = pytest.mark.parametrize("kind", [Resampler, MicrophoneResampler])


def tone(rate, seconds=1.0, frequency=440.0, level=10_000):
    t = np.arange(round(rate * seconds)) / rate
    return np.rint(level * np.sin(2 * np.pi * frequency * t)).astype(np.int16)


def whole(kind, rate, pcm, channels=1, channel=1):
    return kind(rate, channels, channel).push(pcm, last=True)


@BOTH
@settings(deadline=None)
@given(
    rate=st.sampled_from([8_000, 16_000, 44_100, 48_000]),
    channels=st.integers(1, 3),
    sizes=st.lists(st.integers(0, 5_000), max_size=12),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_split_equals_one_piece(kind, rate, channels, sizes, seed):
    frames = np.random.default_rng(seed).integers(-32_768, 32_768, (sum(sizes), channels), np.int16)
    channel = 1 if seed % 2 else "mix"
    resampler = kind(rate, channels, channel)
    pieces = [resampler.push(piece) for piece in np.split(frames, np.cumsum(sizes)) if len(piece)]
    pieces.append(resampler.push(np.zeros((0, channels), np.int16), last=True))
    assert np.array_equal(np.concatenate(pieces), whole(kind, rate, frames, channels, channel))


@BOTH
@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
def test_the_sound_stays_the_same(kind, rate):
    out = whole(kind, rate, tone(rate))
    want = tone(SAMPLE_RATE)
    assert len(out) == len(want)
    middle = slice(1_000, -1_000)
    error = out[middle].astype(float) - want[middle]
    assert np.abs(error).max() < 20, "54 dB below the tone, without a shift"


@BOTH
def test_frequencies_above_the_new_band_are_removed(kind):
    assert np.abs(whole(kind, 48_000, tone(48_000, frequency=12_000))[1_000:-1_000]).max() <= 2


@BOTH
def test_loud_samples_are_clipped_and_do_not_wrap_around(kind):
    square = np.sign(tone(48_000, frequency=100)).astype(np.int16) * np.int16(32_767)
    out = whole(kind, 48_000, square).astype(int)
    assert np.abs(np.diff(out)).max() < 40_000


@BOTH
def test_the_delay_of_the_filter_is_short(kind):
    resampler = kind(48_000)
    given_, got = 0, 0
    for block in np.split(tone(48_000, 4.0), 50):
        given_ += len(block)
        got += len(resampler.push(block))
        assert given_ / 3 - got <= 0.040 * SAMPLE_RATE


@BOTH
@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_a_channel_is_chosen_or_all_are_mixed(kind, rate):
    left, right = tone(rate), np.zeros(rate, np.int16)
    stereo = np.stack((left, right), axis=1)
    mono = whole(kind, rate, left)
    assert np.array_equal(whole(kind, rate, stereo, 2, 1), mono)
    assert not whole(kind, rate, stereo.ravel(), 2, 2).any()
    assert np.abs(whole(kind, rate, stereo, 2, "mix") - mono / 2)[500:-500].max() <= 2


@pytest.mark.parametrize("channel", [0, 3])
def test_a_missing_channel_is_refused(channel):
    with pytest.raises(AudioError, match=f"no channel {channel}: the input has 2"):
        Resampler(16_000, 2, channel)


def test_blocks_of_a_microphone_give_whole_hops():
    """So that a step of the network can end with each of them."""
    for rate in (44_100, 48_000):
        resampler = MicrophoneResampler(rate)
        if resampler.trail > 100:
            pytest.skip("the filter in C was not built here: python hatch_build.py")
        sizes = [len(resampler.push(block)) for block in np.split(tone(rate, 2.0), 25)]
        assert set(sizes[1:]) == {HOP}


def test_a_table_of_another_shape_is_refused():
    filter_in_c = pytest.importorskip("wakeword_daemon.audio._filter").Filter
    for table, phases, step in ((48, 2, 3), (0, 1, 3), (32, 0, 3), (32, 1, 0), (32, -1, -1)):
        with pytest.raises(ValueError, match="not a table"):
            filter_in_c(np.zeros(table, np.float32), phases, step)
    stream = filter_in_c(np.zeros(32, np.float32), 1, 3)
    for channels, channel in ((0, 0), (1, 1), (2, -1), (-1, 0)):
        with pytest.raises(ValueError, match="no such channel"):
            stream.push(np.zeros(8, np.int16), channels, channel)
