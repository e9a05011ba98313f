"""`wakeword doctor` on real sound servers: what works, what does not, and how to fix it."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from support.daemon import AUDIO, Daemon, wakeword
from support.soundserver import PipeWireServer, PulseServer

from wakeword_daemon.audio import probe as probing
from wakeword_daemon.audio.probe import measure, probe
from wakeword_daemon.audio.sources import CaptureSettings
from wakeword_daemon.engine.streams import running_step
from wakeword_daemon.errors import AudioError
from wakeword_daemon.levels import SILENCE
from wakeword_daemon.service.checkup import users_of

pytestmark = pytest.mark.sound


@pytest.fixture(params=[PulseServer, PipeWireServer], ids=["pulse", "pipewire"])
def room(request):
    with request.param() as server:
        yield server


@pytest.fixture
def pulse():
    with PulseServer() as server:
        yield server


def examined(environment, *arguments):
    """Run the doctor; return its exit code, and its findings by subject."""
    done = wakeword("doctor", "--json", *arguments, env=environment)
    assert done.stderr == ""
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return done.returncode, {one["subject"]: one for one in found}


def sound(path, pcm):
    soundfile.write(path, pcm, 16_000)
    return path


def speech(path):
    """Write 12 s of speech at a usual level."""
    pcm = np.concatenate([soundfile.read(AUDIO / "other-slt.flac")[0]] * 8)[: 12 * 16_000]
    return sound(path, pcm)


def test_a_room_where_somebody_speaks_is_fine(room, tmp_path):
    room.hum()
    with Daemon(settings=room.env() | {"XDG_CONFIG_HOME": str(tmp_path)}) as daemon:
        daemon.notified("READY")
        config = tmp_path / "config.yaml"
        config.write_text(f"socket: {{path: {daemon.socket}}}")
        # PipeWire's null sink is loud: its hum is close to full scale.
        if isinstance(room, PulseServer):
            room.play(speech(tmp_path / "speech.wav"), wait=False)
        code, found = examined(room.env(), "--config", config)
    assert code == 0
    assert found["settings"]["text"] == str(config)
    assert found["words"]["verdict"] == "ok"
    assert found["engine"]["text"].startswith(f"step in {running_step()}")
    assert found["microphone"]["text"].endswith("at 16000 Hz")
    assert found["daemon"] == {
        "subject": "daemon",
        "verdict": "ok",
        "text": "it listens for jarvis",
        "command": "",
    }
    assert "PipeWire" in found["sound server"]["text"] or isinstance(room, PulseServer)
    if isinstance(room, PulseServer):
        assert found["level"]["verdict"] == "ok", found


def test_exact_zeros_are_a_failure_that_pactl_fixes(room):
    code, found = examined(room.env())
    assert code == 1
    assert found["level"]["verdict"] == "failure"
    assert found["level"]["command"] == "pactl set-source-mute @DEFAULT_SOURCE@ 0"


def test_quiet_and_clipped_are_warnings(pulse, tmp_path):
    pulse.hum()
    code, found = examined(pulse.env())
    assert (code, found["level"]["verdict"]) == (0, "warning")
    assert found["level"]["text"].startswith("quiet, unless nobody spoke")
    square = np.sign(np.sin(np.arange(15 * 16_000) / 40))
    pulse.play(sound(tmp_path / "square.wav", square), wait=False)
    code, found = examined(pulse.env())
    assert (code, found["level"]["verdict"]) == (0, "warning")
    assert "clipped" in found["level"]["text"]
    assert found["level"]["command"].startswith("pactl set-source-volume")


def test_a_hung_sound_server_is_named(pulse):
    pulse.stop_hang()
    code, found = examined(pulse.env())
    pulse.resume()
    assert code == 1
    assert found["sound server"]["verdict"] == "failure"
    assert "microphone" not in found
    assert "daemon" in found


def test_a_hung_sound_library_ends_with_its_process(pulse, monkeypatch):
    pulse.adopt(monkeypatch)
    monkeypatch.setattr(probing, "_LIMIT", 1.0)
    pulse.stop_hang()
    with pytest.raises(AudioError, match="the sound library hangs"):
        probe(CaptureSettings(), 0.5)
    pulse.resume()


def test_an_unknown_microphone_is_a_failure(pulse, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("audio: {device: nonesuch}")
    code, found = examined(pulse.env(), "--config", config)
    assert code == 1
    assert 'No input device is called "nonesuch"' in found["microphone"]["text"]
    assert found["microphone"]["command"] == "wakeword devices"


def test_a_mistake_in_the_settings_does_not_end_the_checkup(pulse, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("audio: {devcie: x}")
    code, found = examined(pulse.env(), "--config", config)
    assert code == 1
    assert "unknown key audio.devcie" in found["settings"]["text"]
    assert "level" in found


def test_a_package_without_the_step_in_c_is_a_note(tmp_path):
    code = """if True:
        import sys
        sys.modules["wakeword_daemon.engine._step"] = None  # as where it was not built
        from wakeword_daemon.cli import main
        main(["doctor"])
    """
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert "note     engine        step in numpy" in done.stdout
    assert "fix it with: sudo apt install gcc python3-dev" in done.stdout


def test_a_damaged_model_is_a_failure(pulse, tmp_path):
    (tmp_path / "jarvis.safetensors").write_bytes(b"no model")
    config = tmp_path / "config.yaml"
    config.write_text("words: {jarvis: {model: jarvis.safetensors}}")
    code, found = examined(pulse.env(), "--config", config)
    assert (code, found["words"]["verdict"]) == (1, "failure")


@pytest.mark.skipif(os.path.exists("/dev/snd"), reason="this machine has a sound card")  # noqa: PTH110
def test_a_machine_without_sound_is_told_to_start_a_server(tmp_path):
    environment = {k: v for k, v in os.environ.items() if k != "PULSE_SERVER"}
    done = wakeword("doctor", env=environment | {"XDG_RUNTIME_DIR": str(tmp_path)})
    assert done.returncode == 1
    assert "failure  sound server  none runs for this user" in done.stdout
    assert "fix it with: systemctl --user start" in done.stdout


def test_an_encoder_that_alsa_loads_is_noted(pulse, tmp_path):
    """Debian's stock ALSA configuration, in which a plug-in brings libavcodec along."""
    if not os.path.exists("/etc/alsa/conf.d/60-a52-encoder.conf"):  # noqa: PTH110
        pytest.skip("the plug-in is not configured here")
    environment = {k: v for k, v in pulse.env().items() if k != "ALSA_CONFIG_PATH"}
    config = tmp_path / "config.yaml"
    config.write_text("audio: {device: default}\n")  # ALSA's, not the server's own
    _, found = examined(environment, "--config", config)
    assert found["memory"]["verdict"] == "note", found
    assert found["memory"]["command"] == "sudo rm /etc/alsa/conf.d/60-a52-encoder.conf"


def test_levels_follow_their_definition():
    tone = np.sin(np.arange(16_000) * 0.3) * 3276.8
    levels = measure(np.concatenate([np.zeros(8000), tone]).astype(np.int16))
    assert levels.peak == pytest.approx(-20, abs=0.01)
    assert levels.floor == SILENCE
    assert levels.clipped == 0
    assert measure(tone.astype(np.int16)).floor == pytest.approx(-23, abs=0.1)
    half = np.tile(np.array([32_767, 0], np.int16), 4000)
    assert measure(half).clipped == 0.5
    assert measure(np.full(8000, -32_768, np.int16)).clipped == 1


@pytest.mark.parametrize(("device", "library"), [(None, "libpulse."), ("default", "libportaudio.")])
def test_the_microphone_is_recorded_and_measured(pulse, monkeypatch, device, library):
    pulse.adopt(monkeypatch)
    pulse.hum()
    found = probe(CaptureSettings(device), 1.0)
    assert found.rate == 16_000
    assert found.memory > 0
    assert any(name.startswith(library) for name in found.libraries)
    assert any(name.startswith("libportaudio.") for name in found.libraries) == bool(device)


def test_programs_that_use_the_microphone_are_found(tmp_path):
    device = tmp_path / "pcmC0D0c"
    device.touch()
    assert users_of(f"{tmp_path}/pcm*c") == []
    with device.open() as held, subprocess.Popen(["sleep", "60"], stdin=held) as other:
        assert "sleep" in users_of(f"{tmp_path}/pcm*c")
        other.kill()


def test_a_service_that_ends_with_the_session_is_noted(pulse, tmp_path):
    """logind runs in no test, so its answer and systemd's come from programs of the same name."""
    for name, script in (("systemctl", "exit 0"), ("loginctl", "echo Linger=no")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    environment = pulse.env()
    done = wakeword("doctor", env=environment | {"PATH": f"{tmp_path}:{environment['PATH']}"})
    told = done.stdout.splitlines()
    assert "ok       service       it runs, and starts with your session" in told
    assert told[-2:] == [
        "note     service       it stops when you log out",
        "                       fix it with: loginctl enable-linger",
    ]
