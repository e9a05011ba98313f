"""Home Assistant, a satellite and Open Voice OS, as their users run them."""

import json
import re
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
from support.clients import python_of
from support.daemon import PATIENCE, recording, until
from support.roomserver import RunningRooms, free_port, speech
from support.soundserver import PulseServer

pytestmark = [pytest.mark.sound, pytest.mark.slow]

SCRIPTS = Path(__file__).parent / "clients"
DOCS = Path(__file__).resolve().parents[1] / "docs"


def run(client, script, *arguments):
    done = subprocess.run(
        [python_of(client), SCRIPTS / script, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()  # some clients log there too
    return [json.loads(line[7:]) for line in lines if line.startswith("found: ")]


@pytest.fixture
def recordings(tmp_path):
    paths = []
    for name in ("jarvis-slt", "other-slt", "jarvis-rms"):
        paths.append(tmp_path / f"{name}.raw")
        paths[-1].write_bytes(speech(name).tobytes())
    return paths


def test_home_assistant(recordings):
    python_of("homeassistant")
    with RunningRooms() as service:
        words, first, other, second = run(
            "homeassistant", "homeassistant_wake.py", service.port, "jarvis", *recordings
        )
        assert words == [["jarvis", "jarvis"], ["alexa", "alexa"]]
        for found in (first, second):
            assert found[:2] == ["jarvis", "jarvis"]
            assert 500 < found[2] < 2500
        assert other is None
        service.until_rooms(0)


def test_open_voice_os(recordings):
    assert run("ovos", "ovos_wake.py", *recordings, recordings[0]) == [1, 0, 1, 1]


def test_the_listener_of_open_voice_os(recordings, tmp_path, monkeypatch):
    """Its own loop, configured as docs/ovos.md says, hears each command to its end."""
    shown = re.search(r"\n    \{\n(?:    .*\n)+?    \}\n", (DOCS / "ovos.md").read_text())[0]
    (tmp_path / "mycroft").mkdir()
    (tmp_path / "mycroft/mycroft.conf").write_text(shown)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    jarvis, other, _ = recordings
    silence = tmp_path / "silence.raw"
    silence.write_bytes(bytes(64_000))
    command = (jarvis, other, silence)
    found = run("ovos", "ovos_listener.py", other, silence, *command, other, silence, *command)
    assert [what for what, _ in found] == ["word", "command"] * 2
    for (_, word), (_, seconds) in zip(found[::2], found[1::2], strict=True):
        assert word == "jarvis"
        assert seconds > 1  # the sentence after the word


class Satellite:
    """wyoming-satellite, with a PulseAudio microphone."""

    def __init__(self, room, wake_uri, folder):
        self.port = free_port()
        self._log = (folder / "log").open("w")
        self.heard = folder / "heard"
        self.heard.touch()
        note = folder / "note.sh"
        note.write_text(f"#!/bin/sh\ncat >> {self.heard}\necho >> {self.heard}\n")
        note.chmod(0o755)
        self.process = subprocess.Popen(
            [
                *(python_of("satellite"), "-m", "wyoming_satellite", "--debug"),
                *("--uri", f"tcp://127.0.0.1:{self.port}", "--no-zeroconf"),
                *("--mic-command", "parec --device=mic --rate=16000 --channels=1 --raw"),
                *("--wake-uri", wake_uri, "--wake-word-name", "jarvis"),
                *("--detection-command", str(note)),
            ],
            env=room.env(),
            stderr=self._log,
        )

    def wakes(self):
        return self.heard.read_text().split()

    def log(self):
        return Path(self._log.name).read_text()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self._log.close()


class Assistant:
    """The server a satellite belongs to: takes its audio, and says when the command is over."""

    def __init__(self, port):
        def connect():
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=1)
            except OSError:
                return None

        self.socket = until(connect, "the satellite")
        self.send("describe")
        self.send("run-satellite")

    def send(self, kind, **data):
        self.socket.sendall(json.dumps({"type": kind, "data": data}).encode() + b"\n")

    def drain(self):
        """Throw away what came."""
        self.socket.setblocking(False)
        try:
            while self.socket.recv(1 << 20):
                pass
        except BlockingIOError:
            pass
        self.socket.setblocking(True)


def test_a_satellite_wakes_again_and_again(tmp_path):
    python_of("satellite")
    recording(tmp_path / "word.wav", 0.5, "jarvis-slt", 1.0)
    with (
        PulseServer() as room,
        RunningRooms() as service,
        tempfile.TemporaryDirectory(prefix="ww") as folder,
        Satellite(room, f"unix://{service.path}", Path(folder)) as satellite,
    ):
        room.hum()
        assistant = Assistant(satellite.port)
        for times in range(1, 4):
            service.until_rooms(1)
            rearmed = f"wait for {times} wake words"
            until(lambda: satellite.log().count("Waiting for wake word") >= times, rearmed)  # noqa: B023
            room.play(tmp_path / "word.wav")
            until(lambda: len(satellite.wakes()) >= times, satellite.log()[-3000:])  # noqa: B023
            assistant.drain()
            assistant.send("transcript", text="turn on the light")
        assert satellite.wakes() == ["jarvis"] * 3
        assert service.server.connections == 1  # the same one all the time
        assistant.socket.close()
