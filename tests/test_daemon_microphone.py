"""The real daemon on a real sound server's microphone: words spoken into it, and faults of it."""

import subprocess
import sys

import pytest
from support.daemon import PATIENCE, Daemon, events, recording, until
from support.eventserver import Peer
from support.soundserver import PulseServer
from support.witness import Witness

from wakeword_daemon.clock import SAMPLE_RATE

pytestmark = pytest.mark.sound


@pytest.fixture
def room():
    """A sound server whose microphone hears a quiet room."""
    with PulseServer() as server:
        server.hum()
        yield server


def test_a_spoken_word_is_one_event(room, tmp_path):
    recording(tmp_path / "word.wav", 0.5, "jarvis-slt", 1.0)
    with Daemon(settings=room.env()) as daemon:
        assert daemon.told("READY").startswith("listening for jarvis on ")
        listener = daemon.listen("--timeout", 5)
        witness = Witness(room)
        room.play(tmp_path / "word.wav")
        end = witness.end_of_speech()
        (event,) = events(listener)
        status = daemon.status()
        code, seconds = daemon.stop()
    assert event["name"] == "jarvis"
    assert abs(event["wall_time"] - end) < 0.3
    assert status["capture"] == {"gaps": 0, "lost": 0, "reopened": 0, "overflows": 0}
    assert status["lost"] == 0
    assert code == 0
    assert seconds < 1


def test_other_speech_is_no_event(room, tmp_path):
    recording(tmp_path / "other.wav", 0.5, "other-slt", 0.5, "other-slt", 1.0)
    with Daemon(settings=room.env()) as daemon:
        daemon.told("READY")
        listener = daemon.listen("--timeout", 6)
        room.play(tmp_path / "other.wav")
        assert events(listener) == []


def test_without_a_microphone_it_is_ready_and_says_what_is_wrong(tmp_path):
    (tmp_path / "alsa.conf").write_text("pcm.absent { type hw card 99 }\n")
    settings = {"ALSA_CONFIG_PATH": str(tmp_path / "alsa.conf"), "JACK_NO_START_SERVER": "1"}
    with Daemon(settings=settings | {"WATCHDOG_USEC": "600000"}) as daemon:
        assert daemon.told("READY").startswith("deaf: ")
        assert daemon.status()["state"] == "deaf"
        assert daemon.told("WATCHDOG") == "1"  # a new process would find no microphone either
        assert daemon.log.count("deaf: ") == 1
        code, seconds = daemon.stop()
    assert code == 0
    assert seconds < 1


def test_an_unknown_device_is_told_with_those_there_are(room):
    with Daemon("--device", "nonesuch", settings=room.env()) as daemon:
        status = daemon.told("READY")
    assert "nonesuch" in status
    assert "room" in status


def test_a_server_that_dies_and_comes_back_is_heard_again(room, tmp_path):
    recording(tmp_path / "word.wav", 0.5, "jarvis-slt", 1.0)
    with Daemon(settings=room.env()) as daemon:
        daemon.told("READY")
        listener = daemon.listen("--timeout", 10)
        room.kill()
        assert daemon.told("STATUS").startswith("deaf: ")
        room.start()
        room.hum()
        assert daemon.told("STATUS").startswith("listening for jarvis on ")
        room.play(tmp_path / "word.wav")
        (event,) = events(listener)
        status = daemon.status()
        with Peer(daemon.socket) as late:
            late.ask("subscribe", {"after_sequence": 0}, answer="subscribed")
            states = [late.expect("state") for _ in range(3)]
            assert late.expect("detection") == event
        assert daemon.log.count("deaf: ") == 1  # however often it tried
    assert [state["state"] for state in states] == ["listening", "deaf", "listening"]
    assert [bool(state["reason"]) for state in states] == [False, True, False]
    assert event["name"] == "jarvis"
    assert status["gaps"] > 0
    assert status["lost"] > 0
    # The sample clock kept to the computer's all the while.
    assert event["sample"] / SAMPLE_RATE > status["lost"] / SAMPLE_RATE


def test_a_hung_sound_library_ends_the_process(room):
    with Daemon(settings=room.env() | {"WATCHDOG_USEC": "8000000"}) as daemon:
        daemon.told("READY")
        daemon.told("WATCHDOG")
        room.stop_hang()
        try:
            code = daemon.process.wait(PATIENCE)
        finally:
            room.resume()
        assert code == 75
        assert "the sound library has hung" in daemon.log
        assert "Traceback" not in daemon.log
        assert not daemon.socket.exists()


def test_reload_changes_the_device(room, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("")
    with Daemon("--config", config, settings=room.env()) as daemon:
        daemon.told("READY")
        assert daemon.status()["device"] == "default"
        config.write_text("audio: {device: room}")
        daemon.process.send_signal(1)
        until(lambda: daemon.status()["device"] == "room", "the other device")
        hops = daemon.status()["hops"]
        until(lambda: daemon.status()["hops"] > hops + 5, "more audio")
        assert daemon.status()["gaps"] <= 1


def test_devices_lists_the_microphones(room):
    done = subprocess.run(
        [sys.executable, "-m", "wakeword_daemon", "devices"],
        env=room.env(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "default" in done.stdout
    assert "room" in done.stdout
    assert done.stdout.count("*") == 1
