"""Trying a model of one's own, and adding it to the words of the daemon."""

import pytest
import soundfile
from support.daemon import WAKEWORD, Daemon, recording, wakeword
from support.models import random_model
from support.terminal import Terminal

from wakeword_daemon import config
from wakeword_daemon.config import WordSection
from wakeword_daemon.engine.modelfile import save_model

pytestmark = pytest.mark.slow


@pytest.fixture
def spoken(tmp_path):
    """A recording in which the word is said twice."""
    recording(tmp_path / "said.wav", 1.0, "jarvis-slt", 3.0, "other-slt", 1.0, "jarvis-slt", 2.0)
    return tmp_path / "said.wav"


def test_a_recording_is_tried_and_counted(spoken):
    done = wakeword("try", "jarvis", "--input", spoken)
    assert done.returncode == 0
    first, *fired, last = done.stdout.splitlines()
    assert first.startswith("say “jarvis”; it fires from 0.5")
    assert [line.split(", ")[-1] for line in fired] == ["number 1", "number 2"]
    assert last.startswith("it fired 2 times in 00:")
    assert "\x1b" not in done.stdout


def test_it_hears_a_pipe_and_a_stricter_threshold(spoken):
    pcm = soundfile.read(spoken, dtype="int16")[0].tobytes()
    command = ("try", "jarvis", "--input", "-", "--threshold", 0.9999999)
    done = wakeword(*command, input=pcm, text=False)
    assert done.returncode == 0
    last = done.stdout.decode().splitlines()[-1]
    assert last.startswith("it fired 0 times")
    assert 0.5 < float(last.split()[-1]) <= 1


def test_a_terminal_shows_the_score_and_ctrl_c_counts(spoken):
    pcm = soundfile.read(spoken, dtype="int16")[0].tobytes()
    raw = spoken.with_suffix(".raw")
    raw.write_bytes(pcm)
    shell = f"(cat {raw}; sleep 600) | {' '.join(WAKEWORD)} try jarvis --input -"
    with Terminal("sh", "-c", shell, columns=100) as terminal:
        terminal.prints("fires, score", times=2)
        terminal.sees("dBFS  fired 2", "│")
        terminal.type("\x03")
        terminal.prints("it fired 2 times in 00:")


def test_it_says_what_is_not_a_model(tmp_path):
    done = wakeword("try", tmp_path / "none.safetensors", "--input", "-", input="")
    assert (done.returncode, done.stdout) == (1, "")
    assert "none.safetensors" in done.stderr


CONFIG = """\
# My words.
words:
  jarvis: {}   # the good one
log: {level: debug}
"""


def test_a_word_is_added_and_the_daemon_hears_it(tmp_path):
    recording(tmp_path / "minute.wav", 60.0)
    save_model(tmp_path / "hey.safetensors", random_model("hey", threshold=0.99))
    chosen = tmp_path / "config.yaml"
    chosen.write_text(CONFIG)
    with Daemon("--config", chosen, "--input", tmp_path / "minute.wav") as daemon:
        daemon.notified("READY")
        command = ["words", "add", tmp_path / "hey.safetensors", "--config", chosen]
        done = wakeword(*command, "--socket", daemon.socket)
        assert (done.returncode, done.stderr) == (0, "")
        assert "the daemon listens for it now" in done.stdout
        assert daemon.status()["words"] == ["jarvis", "hey"]
    text = chosen.read_text()
    assert text.startswith(CONFIG.split("log", maxsplit=1)[0])
    assert text.endswith("log: {level: debug}\n")
    assert config.load(chosen).words["hey"].model == str(tmp_path / "hey.safetensors")


def test_without_a_config_the_shipped_word_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    save_model(tmp_path / "hey.safetensors", random_model("hey"))
    if config.find() != config.resources.default_config():
        pytest.skip("this machine has a config of its own")
    done = wakeword("words", "add", tmp_path / "hey.safetensors")
    assert done.returncode == 0, done.stderr
    assert "no daemon runs" in done.stdout
    assert config.load(tmp_path / "wakeword/config.yaml").words == {
        "jarvis": WordSection(),
        "hey": WordSection(model=str(tmp_path / "hey.safetensors")),
    }
    done = wakeword("words", "add", tmp_path / "hey.safetensors")  # again: nothing is doubled
    assert done.returncode == 0, done.stderr


def test_a_file_that_is_no_model_is_not_added(tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "hey.safetensors").write_bytes(bytes(100))
    done = wakeword(
        "words", "add", tmp_path / "hey.safetensors", "--config", tmp_path / "config.yaml"
    )
    assert done.returncode == 1
    assert (tmp_path / "config.yaml").read_text() == CONFIG
    assert wakeword("words", "add").returncode == 2
