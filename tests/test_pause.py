"""A pause outlives the daemon, whatever ends it: the microphone stays closed."""

import os
import signal
import time

import pytest
from support.daemon import Daemon, recording, until
from support.soundserver import PulseServer

import wakeword_daemon

pytestmark = [pytest.mark.sound, pytest.mark.slow]


@pytest.fixture
def minute(tmp_path):
    recording(tmp_path / "in.wav", 60.0)
    return tmp_path / "in.wav"


def again(daemon):
    """Start another daemon in its place; return what it first says of itself."""
    daemon.process.wait()
    daemon.drain()
    daemon.start()
    return daemon.notified("READY")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_microphone_stays_closed_after_the_end_of_the_daemon(number):
    with PulseServer() as room, Daemon(settings=room.env()) as daemon:
        room.hum()
        daemon.notified("READY")
        wakeword_daemon.pause(socket=daemon.socket)
        daemon.stop(number)
        told = len(daemon.log)
        assert again(daemon) == "paused until `wakeword resume`"
        time.sleep(1)
        assert "application.process.id" not in room.pactl("list", "source-outputs")
        assert "listening" not in daemon.log[told:]
        assert wakeword_daemon.resume(socket=daemon.socket).state == "listening"
        assert "application.process.id" in room.pactl("list", "source-outputs")
        status = daemon.status()
        assert status["gaps"] == status["capture"]["gaps"] == 0
        daemon.stop(number)
        assert again(daemon).startswith("listening")


def test_the_end_of_a_pause_stays_the_same(minute):
    with Daemon("--input", minute) as daemon:
        daemon.notified("READY")
        paused = wakeword_daemon.pause(60, socket=daemon.socket)
        daemon.stop(signal.SIGKILL)
        assert again(daemon).startswith("paused until ")
        assert daemon.status()["paused_until"] == pytest.approx(paused.until, abs=0.1)
        later = wakeword_daemon.pause(120, socket=daemon.socket)
        daemon.stop(signal.SIGKILL)
        again(daemon)
        assert daemon.status()["paused_until"] == pytest.approx(later.until, abs=0.1)


def test_a_pause_that_is_over_meanwhile_is_forgotten(minute):
    with Daemon("--input", minute) as daemon:
        daemon.notified("READY")
        paused = wakeword_daemon.pause(0.01, socket=daemon.socket)
        daemon.stop(signal.SIGKILL)
        until(lambda: time.time() > paused.until, "the end of the pause")
        assert again(daemon).startswith("listening")
        assert not list(daemon.socket.parent.glob("*.paused"))


def test_a_pause_that_goes_on_ends_by_itself(minute):
    with Daemon("--input", minute) as daemon:
        daemon.notified("READY")
        wakeword_daemon.pause(0.2, socket=daemon.socket)
        daemon.stop(signal.SIGKILL)
        assert again(daemon).startswith("paused")
        until(lambda: daemon.status()["state"] == "listening", "the end of the pause")


def test_what_cannot_be_kept_is_logged_and_pauses_all_the_same(minute):
    with Daemon("--input", minute) as daemon:
        daemon.notified("READY")
        (daemon.socket.parent / "events.sock.paused").mkdir()
        wakeword_daemon.pause(socket=daemon.socket)
        assert daemon.status()["state"] == "paused"
        assert "the pause would end with the daemon: cannot write" in daemon.log
        daemon.stop(signal.SIGKILL)
        assert again(daemon).startswith("listening")


@pytest.mark.parametrize("content", [b"", b"[]", b'{"until": "soon"}'])
def test_a_file_that_is_no_pause_is_none(minute, content):
    with Daemon("--input", minute) as daemon:
        daemon.notified("READY")
        daemon.stop()
        (daemon.socket.parent / "events.sock.paused").write_bytes(content)
        assert again(daemon).startswith("listening")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make another user's file")
def test_another_user_pauses_nobody(minute):
    with Daemon("--input", minute) as daemon:
        daemon.notified("READY")
        wakeword_daemon.pause(socket=daemon.socket)
        daemon.stop()
        os.chown(daemon.socket.parent / "events.sock.paused", 65_534, 65_534)
        assert again(daemon).startswith("listening")


def test_a_service_of_the_machine_keeps_it_in_its_state_folder(minute, tmp_path):
    settings = {"STATE_DIRECTORY": str(tmp_path)}
    with Daemon("--input", minute, settings=settings) as daemon:
        daemon.notified("READY")
        wakeword_daemon.pause(socket=daemon.socket)
        assert (tmp_path / "paused").exists()
        daemon.stop(signal.SIGKILL)
        assert again(daemon).startswith("paused")
