"""What is wrong with sound that comes, from signals that show it; what is right with speech."""

import numpy as np
import pytest
import soundfile
from support.daemon import AUDIO
from support.room import noise, speech

from wakeword_daemon.audio.problems import ProblemWatch
from wakeword_daemon.clock import HOP, SAMPLE_RATE, seconds

TIME = np.arange(15 * SAMPLE_RATE) / SAMPLE_RATE


def tone(frequency, level):
    return 32_767 * 10 ** (level / 20) * np.sqrt(2) * np.sin(2 * np.pi * frequency * TIME)


def found(*channels, channel=1, rate=1.0, watch=None, begin=0.0):
    """Return the problems of float channels [n] in real time, at a share of the promised rate."""
    watch = watch or ProblemWatch(channel)
    raw = np.stack([np.clip(np.rint(one), -32_768, 32_767) for one in channels], 1)
    raw = raw.astype(np.int16)
    pcm = raw[:, channel - 1] if channel != "mix" else raw.mean(1).astype(np.int16)
    for at in range(0, len(pcm) - HOP, HOP):
        end = at + HOP
        if watch.due(seconds(HOP)):
            frames = raw[at:end].ravel()
            watch.look(pcm[at:end], frames, len(channels), begin + seconds(end) / rate)
    return [problem.name for problem in watch.problems]


ROOM = noise(15.0).astype(float)
SPEECH = speech(15.0) + ROOM


@pytest.mark.parametrize("sound", [ROOM, SPEECH, 0 * ROOM, SPEECH / 30], ids=str)
def test_a_room_and_speech_in_it_are_no_problem(sound):
    assert found(sound) == []


def test_a_word_that_is_said_at_full_scale_once_is_no_problem():
    word, _ = soundfile.read(AUDIO / "jarvis-slt.flac", dtype="int16")
    loud = ROOM.copy()
    loud[SAMPLE_RATE : SAMPLE_RATE + len(word)] += 3.0 * word
    assert found(loud) == []


def test_speech_that_is_clipped_is_told():
    assert found(20 * SPEECH) == ["clipping"]


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_signal_that_is_off_centre_is_told(sign):
    assert found(SPEECH + sign * 0.03 * 32_767) == ["offset"]


@pytest.mark.parametrize("mains", [50, 60])
def test_a_hum_is_told_also_while_somebody_speaks(mains):
    assert found(ROOM + tone(mains, -35)) == ["hum"]
    assert found(SPEECH + tone(mains, -20)) == ["hum"]
    assert found(ROOM + tone(mains, -60)) == []


@pytest.mark.parametrize("channel", [2, "mix"])
def test_a_dead_channel_is_told_where_it_is_used(channel):
    assert found(SPEECH, 0 * SPEECH, channel=channel) == ["dead-channel"]
    assert found(SPEECH, SPEECH / 8, channel=channel) == []
    assert found(0 * SPEECH, SPEECH, channel=2) == []


@pytest.mark.parametrize("rate", [44_100 / 48_000, 48_000 / 44_100])
def test_a_rate_that_is_not_the_promised_one_is_told(rate):
    sound = np.tile(SPEECH, 3)
    assert found(sound, rate=rate) == ["wrong-rate"]
    assert found(sound, rate=1.0002) == []


def test_audio_that_is_lost_now_and_then_is_no_wrong_rate():
    watch, begin = ProblemWatch(), 0.0
    for lost in (1.2, 0.0, 2.0, 0.3):
        assert found(SPEECH[: 10 * SAMPLE_RATE], watch=watch, begin=begin) == []
        begin += 10 + lost


def test_a_microphone_that_keeps_breaking_off_is_told_for_a_minute():
    watch = ProblemWatch()
    for at in range(0, 12, 4):
        watch.broke_off(at)
    assert found(SPEECH, watch=watch, begin=10.0) == []
    watch.broke_off(26)
    assert found(SPEECH, watch=watch, begin=27.0) == ["unsteady"]
    assert found(SPEECH, watch=watch, begin=70.0) == []


def test_what_is_over_is_told_no_more():
    watch = ProblemWatch()
    assert found(ROOM + tone(50, -30), watch=watch) == ["hum"]
    assert found(ROOM, watch=watch, begin=15.0) == []
