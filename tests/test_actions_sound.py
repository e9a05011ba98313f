"""The answering sound on a real sound server, where the microphone hears what is played."""

import subprocess

import pytest
import soundfile
from support.daemon import AUDIO, Daemon, recording, until

from wakeword_daemon.clock import SAMPLE_RATE

pytestmark = pytest.mark.sound


def test_the_sound_is_played_and_does_not_trigger_a_detection(room, tmp_path):
    """The sound says the wake word itself, and the loudspeaker is the microphone."""
    recording(tmp_path / "word.wav", 0.5, "jarvis-slt", 1.0)
    pcm = soundfile.read(AUDIO / "jarvis-rms.flac", dtype="int16")[0]
    soundfile.write(tmp_path / "answer.wav", pcm, SAMPLE_RATE, subtype="PCM_16")
    (tmp_path / "config.yaml").write_text("on_detection:\n  sound: answer.wav\n")
    with Daemon("--config", tmp_path / "config.yaml", settings=room.env()) as daemon:
        daemon.notified("READY")
        room.play(tmp_path / "word.wav")
        until(lambda: "heard jarvis in our own sound" in daemon.log, "the echo")
        assert daemon.status()["sequence"] == 2  # `listening`, and one detection
        # Later the same word is a word again.
        until(lambda: not playing(room), "the end of the sound")
        subprocess.run(["sleep", "2.5"], check=True)
        room.play(tmp_path / "word.wav")
        until(lambda: daemon.status()["sequence"] == 3, "the second detection")


def playing(room):
    return "paplay" in room.pactl("list", "sink-inputs")


def test_a_sound_that_cannot_be_played_is_logged(room, tmp_path):
    recording(tmp_path / "word.wav", 0.5, "jarvis-slt", 1.0)
    (tmp_path / "answer.wav").write_text("no sound")
    (tmp_path / "config.yaml").write_text("on_detection:\n  sound: answer.wav\n")
    with Daemon("--config", tmp_path / "config.yaml", settings=room.env()) as daemon:
        daemon.notified("READY")
        room.play(tmp_path / "word.wav")
        until(lambda: "paplay failed with exit code 1" in daemon.log, "a complaint")
        assert daemon.status()["state"] == "listening"
