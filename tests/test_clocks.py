"""Clocks that are set, that drift, and that advance while the machine sleeps."""

import signal
import time

import numpy as np
import pytest
from support.clocks import Clocks
from support.daemon import Daemon, recording, until
from support.eventserver import Peer
from support.witness import Witness

from wakeword_daemon.audio.ring import RingBuffer
from wakeword_daemon.audio.timekeeper import Timekeeper
from wakeword_daemon.clock import HOP, SAMPLE_RATE, seconds

pytestmark = [pytest.mark.sound, pytest.mark.slow]

HOUR, DAY = 3_600, 86_400


@pytest.fixture
def clocks():
    with Clocks() as clocks:
        yield clocks


def spoken(room, path):
    """Say the word; return when it was over, in right Unix time."""
    witness = Witness(room)
    room.play(path)
    return witness.end_of_speech()


def test_setting_the_wall_clock_changes_only_wall_times(room, clocks, tmp_path):
    steps = (HOUR, -HOUR, DAY)
    recording(tmp_path / "word.wav", 0.3, "jarvis-slt", 0.6)
    with Daemon(settings=room.env() | clocks.env() | {"WATCHDOG_USEC": "8000000"}) as daemon:
        daemon.notified("READY")
        ends = []
        for number, step in enumerate(steps, 1):
            clocks.step(step)
            ends.append(spoken(room, tmp_path / "word.wav"))
            until(lambda number=number: daemon.status()["sequence"] == 1 + number, "a detection")
        daemon.drain()
        assert daemon.notified("WATCHDOG") == "1"
        status = daemon.status()
        with Peer(daemon.socket) as late:
            late.ask("subscribe", {"after_sequence": 0}, answer="subscribed")
            assert late.expect("state")["state"] == "listening"
            words = [late.expect("detection") for _ in steps]
    assert [word["sequence"] for word in words] == [2, 3, 4]
    for word, end, step in zip(words, ends, steps, strict=True):
        assert abs(word["wall_time"] - step - end) < 0.3
    apart = np.diff([word["sample"] for word in words]) / SAMPLE_RATE
    assert apart == pytest.approx(np.diff(ends), abs=0.2)
    assert status["state"] == "listening"
    assert status["capture"] == {"gaps": 0, "lost": 0, "reopened": 0, "overflows": 0}


def test_listening_continues_after_suspend_and_the_gap_is_counted(room, clocks, tmp_path):
    """The daemon and its sound server stand still, as all processes do in a suspend."""
    slept = 5 * 60
    recording(tmp_path / "word.wav", 0.3, "jarvis-slt", 0.6)
    with Daemon(settings=room.env() | clocks.env()) as daemon:
        daemon.notified("READY")
        before = spoken(room, tmp_path / "word.wav")
        until(lambda: daemon.status()["sequence"] == 2, "a detection")
        first = daemon.status()["last_detection"]
        daemon.process.send_signal(signal.SIGSTOP)
        room.stop_hang()
        time.sleep(0.5)  # so that both stand still for a moment
        clocks.sleep(slept)
        room.resume()
        daemon.process.send_signal(signal.SIGCONT)
        until(lambda: daemon.status()["capture"]["gaps"], "a gap")
        until(lambda: daemon.status()["state"] == "listening", "sound")
        after = spoken(room, tmp_path / "word.wav")
        until(lambda: daemon.status()["last_detection"] != first, "a detection")
        status, log = daemon.status(), daemon.log
    second = status["last_detection"]
    assert status["start_id"] == first["start_id"]
    assert abs(second["wall_time"] - slept - after) < 0.3
    assert (second["sample"] - first["sample"]) / SAMPLE_RATE == pytest.approx(
        after - before + slept, abs=0.5
    )
    assert status["lost"] / SAMPLE_RATE == pytest.approx(slept, abs=2)
    assert "hung" not in log


@pytest.mark.long
def test_a_daemon_that_was_stopped_for_longer_than_a_hang_continues(room, tmp_path):
    """Here monotonic time went on too, so the watchdog sees the pause."""
    recording(tmp_path / "word.wav", 0.3, "jarvis-slt", 0.6)
    with Daemon(settings=room.env()) as daemon:
        daemon.notified("READY")
        daemon.process.send_signal(signal.SIGSTOP)
        time.sleep(120)
        daemon.process.send_signal(signal.SIGCONT)
        until(lambda: daemon.status()["state"] == "listening", "sound")
        until(lambda: daemon.status()["backlog"] == 0, "the present")
        end = spoken(room, tmp_path / "word.wav")
        until(lambda: daemon.status()["last_detection"], "a detection")
        assert abs(daemon.status()["last_detection"]["wall_time"] - end) < 0.3
        assert daemon.process.poll() is None


def test_setting_the_clock_does_not_change_the_length_of_a_pause(clocks, tmp_path):
    recording(tmp_path / "silence.wav", 60.0)
    with Daemon("--input", tmp_path / "silence.wav", settings=clocks.env()) as daemon:
        daemon.notified("READY")
        with Peer(daemon.socket) as peer:
            asked = time.time()
            peer.ask("pause", {"minutes": 30}, answer="paused")
            for step in (HOUR, -HOUR):
                clocks.step(step)
                right = asked + 30 * 60 + step
                until(
                    lambda right=right: abs((daemon.status()["paused_until"] or 0) - right) < 5,
                    "the end of the pause by the new clock",
                )
                assert daemon.status()["state"] == "paused"
            clocks.sleep(HOUR)
            until(lambda: daemon.status()["state"] == "listening", "the end of the pause")


@pytest.mark.long
@pytest.mark.parametrize("drift", [-200e-6, 200e-6])
def test_half_an_hour_of_drift_on_a_sound_server_loses_nothing(room, clocks, tmp_path, drift):
    """The clocks part by 0.36 s, more than a delay may last without counting as a loss."""
    recording(tmp_path / "word.wav", 0.3, "jarvis-slt", 0.6)
    with Daemon(settings=room.env() | clocks.env()) as daemon:
        daemon.notified("READY")
        begin = time.monotonic()
        clocks.drift(drift)
        time.sleep(30 * 60)
        ahead = (time.monotonic() - begin) * drift
        end = spoken(room, tmp_path / "word.wav")
        until(lambda: daemon.status()["last_detection"], "a detection")
        status = daemon.status()
    assert abs(status["last_detection"]["wall_time"] - ahead - end) < 0.3
    assert status["capture"] == {"gaps": 0, "lost": 0, "reopened": 0, "overflows": 0}
    assert status["lost"] == 0


@pytest.mark.parametrize("error", [-200e-6, 200e-6])
def test_a_day_of_drift_between_sound_card_and_computer_loses_nothing(error):
    """Every block is delivered up to 160 ms late, as sound servers do."""
    late = np.random.default_rng(1).choice([0.0, 0.05, 0.16], DAY // 2)
    keeper, ring = Timekeeper(), RingBuffer(1.0)
    pcm = np.zeros(2 * HOP, np.int16)
    block = seconds(len(pcm))
    for number, delay in enumerate(np.resize(late, round(DAY / block)), 1):
        true = number * block * (1 + error)
        assert keeper.block(true + delay, block) == 0
        ring.write(pcm, keeper.until)
        if number % 10_000 == 0:
            assert ring.wall_time(ring.clock) == pytest.approx(true, abs=0.05)
    assert ring.clock == round(DAY / block) * len(pcm)
