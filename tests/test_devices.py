"""Devices by name, index or default, and a clear error for absent ones."""

import os

import pytest
from support.soundserver import PulseServer

from wakeword_daemon.audio import devices
from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.errors import AudioError

pytestmark = pytest.mark.sound


@pytest.fixture
def server(monkeypatch):
    with PulseServer() as server:
        server.adopt(monkeypatch)
        devices.portaudio()
        devices.refresh()
        yield server


@pytest.fixture
def no_server(monkeypatch):
    server = PulseServer()
    server.adopt(monkeypatch)
    devices.portaudio()
    devices.refresh()


@pytest.mark.usefixtures("server")
def test_every_input_is_listed():
    listed = {device.name: device for device in devices.input_devices()}
    assert listed.keys() == {"default", "room"}
    assert listed["default"].is_default
    assert not listed["room"].is_default
    assert listed["room"].host_api == "ALSA"
    assert listed["room"].channels >= 1
    assert listed["room"].default_rate in {16_000, 44_100, 48_000}


@pytest.mark.usefixtures("server")
def test_a_device_is_found_by_name_part_index_or_as_the_default():
    room = devices.find("room")
    assert room.name == "room"
    assert devices.find("ROO") == room
    assert devices.find(room.index) == room
    assert devices.find().name == "default"


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("device", "reason"),
    [
        ("USB", r'No input device is called "USB"; choose one of: \d "room", \d "default"\.'),
        (7, 'No input device is called "7"; choose one of'),
        ("", '2 input devices match ""; choose one of'),
    ],
)
def test_an_absent_device_is_reported_with_the_available_ones(device, reason):
    with pytest.raises(AudioError, match=reason):
        devices.find(device)


@pytest.mark.usefixtures("no_server")
def test_a_machine_without_any_input():
    assert devices.input_devices() == []
    with pytest.raises(AudioError, match="no microphone, or the sound server is not running"):
        devices.find()


def test_missing_portaudio_is_reported_with_the_command(monkeypatch):
    monkeypatch.setattr("ctypes.util.find_library", lambda _: None)
    with pytest.raises(AudioError, match="sudo apt install libportaudio2"):
        devices.require_portaudio.__wrapped__()


def test_only_messages_of_the_sound_libraries_are_suppressed(server, capfd):
    sounddevice = devices.portaudio()
    index = devices.find().index
    server.kill()

    def fail():
        with pytest.raises(sounddevice.PortAudioError):
            sounddevice.RawInputStream(samplerate=SAMPLE_RATE, device=index)

    fail()
    assert "Expression" in capfd.readouterr().err, "or else there is nothing to keep quiet"
    with devices.quiet():
        fail()
        os.write(2, b"another thread\n")
    assert capfd.readouterr().err == "another thread\n"
    fail()
    assert "Expression" in capfd.readouterr().err
