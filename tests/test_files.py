"""Recordings of any kind are read as 16 kHz mono; other files are refused in one sentence."""

import tracemalloc

import numpy as np
import pytest
import soundfile

from wakeword_daemon.audio import files
from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.errors import AudioError

TONE = 8_192 * np.sin(2 * np.pi * 440 * np.arange(SAMPLE_RATE) / SAMPLE_RATE)


def tone(rate, channels=1):
    t = np.arange(rate) / rate
    one = (0.25 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)
    return np.stack([one] * channels, axis=1)


@pytest.mark.parametrize(
    ("name", "rate", "channels", "subtype"),
    [
        ("a.wav", 16_000, 1, "PCM_16"),
        ("a.wav", 48_000, 2, "PCM_24"),
        ("a.wav", 44_100, 1, "FLOAT"),
        ("a.wav", 8_000, 1, "ULAW"),
        ("a.flac", 44_100, 2, "PCM_16"),
        ("a.ogg", 48_000, 1, "VORBIS"),
        ("a.mp3", 44_100, 2, "MPEG_LAYER_III"),
    ],
)
def test_every_format_gives_the_same_samples(tmp_path, name, rate, channels, subtype):
    soundfile.write(tmp_path / name, tone(rate, channels), rate, subtype=subtype)
    pcm = files.read(tmp_path / name)
    assert pcm.dtype == np.int16
    assert len(pcm) == pytest.approx(SAMPLE_RATE, abs=1_200)
    middle = slice(2_000, -2_000)
    best = min(
        np.abs(np.roll(pcm, -shift)[:SAMPLE_RATE][middle] - TONE[middle]).max()
        for shift in range(37)  # one period: an MP3 decoder may add a delay
    )
    assert best <= (300 if subtype in {"ULAW", "VORBIS", "MPEG_LAYER_III"} else 20)


def test_blocks_join_to_the_whole_recording(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(44_100, 2), 44_100)
    pieces = list(files.blocks(tmp_path / "a.wav", frames=1_000))
    assert max(len(piece) for piece in pieces) <= 2_000
    assert np.array_equal(np.concatenate(pieces), files.read(tmp_path / "a.wav"))


def test_a_long_recording_is_read_in_blocks(tmp_path):
    with soundfile.SoundFile(tmp_path / "long.wav", "w", 48_000, 2) as file:
        for _ in range(120):
            file.write(tone(48_000, 2))
    next(files.blocks(tmp_path / "long.wav"))  # what is loaded only once does not count
    tracemalloc.start()
    try:
        total = sum(len(block) for block in files.blocks(tmp_path / "long.wav"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total == 120 * SAMPLE_RATE
    assert peak < 3_000_000, "a whole one is 23 MB"


def test_a_file_without_audio_is_refused_at_once(tmp_path):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("this is not audio\n" * 100)
    for name, reason in [
        ("missing.wav", r"Cannot read .*missing\.wav: No such file or directory\."),
        ("", "is a folder"),
        ("empty.wav", r"empty\.wav is empty\."),
        ("text.wav", "is not a recording in WAV, FLAC, OGG or MP3"),
    ]:
        with pytest.raises(AudioError, match=reason):
            files.blocks(tmp_path / name)


def test_an_empty_recording_is_refused(tmp_path):
    soundfile.write(tmp_path / "nothing.wav", np.zeros(0, np.int16), 16_000)
    with pytest.raises(AudioError, match="its length is 0"):
        files.read(tmp_path / "nothing.wav")


def test_a_truncated_recording_is_read_and_a_damaged_one_is_refused(tmp_path):
    soundfile.write(tmp_path / "whole.wav", tone(16_000), 16_000)
    (tmp_path / "cut.wav").write_bytes((tmp_path / "whole.wav").read_bytes()[:20_044])
    assert len(files.read(tmp_path / "cut.wav")) == 10_000

    noise = np.random.default_rng(1).integers(-9_000, 9_000, 160_000, np.int16)
    soundfile.write(tmp_path / "whole.flac", noise, 16_000)
    data = bytearray((tmp_path / "whole.flac").read_bytes())
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    (tmp_path / "damaged.flac").write_bytes(data)
    with pytest.raises(AudioError, match=r"is damaged after [0-9.]+ s"):
        files.read(tmp_path / "damaged.flac")
