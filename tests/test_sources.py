"""Files and pipes instead of a microphone."""

import os
import threading
import time

import numpy as np
import pytest
import soundfile
from support.daemon import PATIENCE, until

from wakeword_daemon.audio.ring import RingBuffer
from wakeword_daemon.audio.sources import FileSource, PcmSource
from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.errors import AudioError


def noise(seconds, seed=1):
    rng = np.random.default_rng(seed)
    return rng.integers(-9_000, 9_000, round(seconds * SAMPLE_RATE), np.int16)


def drain(reader, block=1_280):
    """All that comes until the ring is closed, and how much was missing."""
    pieces, lost = [], 0
    while (piece := reader.read(block, timeout=PATIENCE)) is not None:
        pieces.append(piece.pcm)
        lost += piece.lost
    return np.concatenate(pieces) if pieces else np.zeros(0, np.int16), lost


@pytest.fixture
def pipe():
    out, into = os.pipe()
    with os.fdopen(out, "rb") as reader, os.fdopen(into, "wb", buffering=0) as writer:
        yield reader, writer


def test_a_file_is_played_at_the_pace_of_a_microphone(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(0.7), SAMPLE_RATE)
    ring, states = RingBuffer(2), []
    reader = ring.reader()
    source = FileSource(tmp_path / "a.wav", ring, states.append)
    assert source.state.name == "starting"
    begin = time.monotonic()
    source.start()
    pcm, lost = drain(reader)
    assert time.monotonic() - begin > 0.69
    assert np.array_equal(pcm, noise(0.7))
    assert lost == 0
    assert source.stop(PATIENCE)
    assert [(state.name, state.reason) for state in states] == [
        ("listening", ""),
        ("deaf", "The recording has ended."),
    ]
    assert (states[0].device, states[0].rate) == (str(tmp_path / "a.wav"), SAMPLE_RATE)


def test_a_demo_repeats_until_it_is_stopped(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(0.1), SAMPLE_RATE)
    ring = RingBuffer(2)
    reader = ring.reader()
    source = FileSource(tmp_path / "a.wav", ring, lambda _: None, repeat=True)
    source.start()
    assert np.array_equal(reader.read(4_800, PATIENCE).pcm, np.tile(noise(0.1), 3))
    assert source.stop(PATIENCE)
    drain(reader)


def test_a_file_without_audio_is_refused_before_the_start(tmp_path):
    with pytest.raises(AudioError, match="No such file"):
        FileSource(tmp_path / "a.wav", RingBuffer(1), lambda _: None)


def test_a_damaged_file_is_reported(tmp_path):
    soundfile.write(tmp_path / "a.flac", noise(0.4), SAMPLE_RATE)
    data = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(data[:9_000] + bytes(len(data) - 9_000))
    ring, states = RingBuffer(2), []
    reader = ring.reader()
    FileSource(tmp_path / "a.flac", ring, states.append).start()
    drain(reader)
    assert [state.name for state in states] == ["listening", "deaf"]
    assert "is damaged after" in states[-1].reason


def test_a_pipe_waits_for_the_slowest_reader(pipe):
    ring, states = RingBuffer(2), []
    reader, other = ring.reader(), ring.reader()
    source = PcmSource(pipe[0], ring, states.append)
    source.start()
    audio = noise(20)
    writing = threading.Thread(
        target=lambda: (pipe[1].write(audio.astype("<i2").tobytes()), pipe[1].close())
    )
    results = []
    reading = threading.Thread(target=lambda: results.append(drain(other, 16_000)))
    writing.start()
    reading.start()
    pcm, lost = drain(reader)
    writing.join(PATIENCE)
    reading.join(PATIENCE)
    for got, missing in [(pcm, lost), *results]:
        assert missing == 0
        assert np.array_equal(got, audio)
    assert source.stop(PATIENCE)
    assert [state.name for state in states] == ["listening", "deaf"]


def test_half_a_sample_at_the_end_is_ignored_with_a_warning(pipe, caplog):
    ring = RingBuffer(2)
    reader = ring.reader()
    PcmSource(pipe[0], ring, lambda _: None).start()
    data = noise(0.1).astype("<i2").tobytes()
    pipe[1].write(data[:1_001])
    time.sleep(0.05)  # so that the split is most likely seen; it is right either way
    pipe[1].write(data[1_001:] + b"x")
    pipe[1].close()
    assert np.array_equal(drain(reader)[0], noise(0.1))
    assert "within a sample" in caplog.text


def test_a_silent_pipe_is_alive_and_can_be_stopped(pipe):
    ring = RingBuffer(2)
    reader = ring.reader()
    source = PcmSource(pipe[0], ring, lambda _: None)
    source.start()
    first = source.heartbeat
    until(lambda: source.heartbeat > first, "another sign of life")
    assert source.stop(PATIENCE)
    assert reader.read(1, PATIENCE) is None


def test_a_pipe_into_a_full_ring_can_be_stopped(pipe):
    ring = RingBuffer(0.5)
    reader = ring.reader()
    source = PcmSource(pipe[0], ring, lambda _: None)
    source.start()
    for _ in range(2):
        pipe[1].write(noise(0.4).astype("<i2").tobytes())
    assert source.stop(PATIENCE)
    assert reader.lost == 0
