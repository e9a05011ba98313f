"""`wakeword plot` draws what a word's network computes for recordings."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from wakeword_daemon.audio import files
from wakeword_daemon.cli import main
from wakeword_daemon.engine import Detector, read_model
from wakeword_daemon.engine.trace import trace
from wakeword_daemon.resources import shipped_models

AUDIO = Path(__file__).parent / "audio"


@pytest.fixture(scope="module")
def jarvis():
    return read_model(shipped_models()["jarvis"])


def test_the_picture_has_the_probabilities_of_the_detector(jarvis):
    pcm = np.concatenate(
        [files.read(AUDIO / "other-slt.flac"), files.read(AUDIO / "jarvis-slt.flac")]
    )
    traced = trace(jarvis, pcm)
    steps = Detector([jarvis]).scores(pcm)
    assert traced.ends == pytest.approx([step.sample / 16_000 for step in steps])
    assert traced.probabilities == pytest.approx([s.scores["jarvis"] for s in steps], abs=1e-6)
    assert traced.attention.shape == (len(steps), 16)
    assert traced.attention.sum(1) == pytest.approx(np.ones(len(steps)), abs=1e-5)


def test_a_threshold_option_applies_to_the_picture(tmp_path, capsys):
    command = ["plot", "--output", str(tmp_path / "p.svg"), str(AUDIO / "jarvis-slt.flac")]
    assert main([*command, "--threshold", "0.9999999"]) == 0
    assert "0 detections in" in capsys.readouterr().out


def test_several_recordings_are_drawn_as_one_stream(tmp_path, capsys):
    output = tmp_path / "picture.svg"
    names = ["other-slt.flac", "jarvis-slt.flac", "other-slt.flac"]
    assert main(["plot", "--output", str(output), *(str(AUDIO / name) for name in names)]) == 0
    assert "1 detection in" in capsys.readouterr().out
    drawn = set(re.findall(r"<!--\s*(.+?)\s*-->", output.read_text()))
    for label in ("time, s", "frequency, kHz", "probability", "mel power, dB", "jarvis-slt",
                  "other-slt", "threshold"):  # fmt: skip
        assert any(label in text for text in drawn), label
    assert any(re.fullmatch(r"jarvis 0\.\d\d", text) for text in drawn)


def test_a_picture_is_named_after_its_recording(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["plot", str(AUDIO / "jarvis-slt.flac")]) == 0
    content = (tmp_path / "jarvis-slt.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) > 20_000


def test_a_recording_shorter_than_a_step_is_drawn(tmp_path):
    soundfile.write(tmp_path / "click.wav", np.zeros(300), 16_000)
    assert main(["plot", "--output", str(tmp_path / "p.png"), str(tmp_path / "click.wav")]) == 0
    assert (tmp_path / "p.png").stat().st_size > 5_000


def test_errors_of_plot_are_sentences(tmp_path, capsys):
    jarvis = str(AUDIO / "jarvis-slt.flac")

    def error(*arguments):
        assert main(["plot", *arguments]) != 0
        return capsys.readouterr().err

    assert "name must end in .png or .svg" in error("--output", "p.jpeg", jarvis)
    assert "No such file" in error(str(tmp_path / "none.wav"), "--output", str(tmp_path / "p.png"))
    assert "cannot write" in error("--output", str(tmp_path / "no/p.png"), jarvis)
    soundfile.write(tmp_path / "long.wav", np.zeros(301 * 8000), 8000)
    assert "301 s are too long for one picture" in error(str(tmp_path / "long.wav"))
