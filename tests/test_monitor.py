"""`wakeword monitor` in a terminal, with keys, and with a real daemon."""

import os
import signal
import subprocess

import pytest
from support.daemon import WAKEWORD, Daemon, recording, until, wakeword
from support.terminal import Terminal

from wakeword_daemon import config

pytestmark = pytest.mark.slow

CONFIG = "words:\n  jarvis:\n    threshold: 0.5  # ours\n  alexa: {}\n"


@pytest.fixture
def daemon(tmp_path):
    recording(tmp_path / "in.wav", 6.0, "jarvis-slt", 120.0)
    (tmp_path / "config.yaml").write_text(CONFIG)
    options = ("--config", tmp_path / "config.yaml", "--input", tmp_path / "in.wav")
    with Daemon(*options) as running:
        running.notified("READY")
        yield running


def monitor(daemon, **options):
    return Terminal(*WAKEWORD, "monitor", "--socket", daemon.socket, **options)


def test_the_monitor_shows_state_level_scores_and_detections(daemon):
    with monitor(daemon) as terminal:
        text = terminal.sees("listening", "dBFS, noise", "> jarvis", "  alexa", "threshold 0.5")
        assert "q quit" in text
        text = terminal.sees("dB above the noise")
        assert "█" in text
        terminal.type("q")
        assert terminal.end() == 0
        assert terminal.echoes()
    until(lambda: not daemon.status()["subscribers"][1:], "the end of watching")


def test_keys_change_and_save_thresholds_and_pause(daemon, tmp_path):
    with monitor(daemon) as terminal:
        terminal.sees("dBFS, noise")
        terminal.type("+++")
        terminal.sees("threshold 0.53 (not saved)")
        assert config.load(tmp_path / "config.yaml").words["jarvis"].threshold == 0.5
        terminal.type("s")
        terminal.until(lambda text: "(not saved)" not in text and "saved to" in text)
        assert (tmp_path / "config.yaml").read_text() == CONFIG.replace("0.5 ", "0.53 ")
        terminal.type("\x1b[B")
        terminal.sees("> alexa")
        terminal.type("-")
        terminal.sees("threshold 0.49 (not saved)")
        terminal.type("p")
        terminal.sees("paused: until `wakeword resume`", "no sound")
        assert daemon.status()["state"] == "paused"
        terminal.type("p")
        terminal.sees("listening", "dBFS, noise")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 128 + signal.SIGTERM
        assert terminal.echoes()


def test_the_monitor_waits_for_a_daemon_that_went_away(daemon, tmp_path):
    with monitor(daemon) as terminal:
        terminal.sees("listening")
        daemon.stop(signal.SIGKILL)
        terminal.sees("away: the daemon went away; waiting")
        with Daemon("--input", tmp_path / "in.wav", "--socket", daemon.socket):
            terminal.sees("listening", "> jarvis", "dBFS, noise")
            terminal.type("\x03")
            assert terminal.end() == 130
            assert terminal.echoes()


def test_a_failed_save_is_shown(daemon, tmp_path):
    with monitor(daemon, columns=200) as terminal:
        terminal.sees("dBFS, noise")
        (tmp_path / "config.yaml").write_text("words: {alexa: {}}")
        terminal.type("+s")
        terminal.sees("does not name the word", "(not saved)")


def test_the_monitor_waits_without_a_daemon(tmp_path):
    with Terminal(*WAKEWORD, "monitor", "--socket", tmp_path / "s") as terminal:
        terminal.sees("away: no daemon is listening")
        terminal.type("+sp")  # nothing to tune; a pause fails
        terminal.type("q")
        assert terminal.end() == 0


def test_a_terminal_that_is_too_small_is_reported_until_it_grows(daemon):
    with monitor(daemon, columns=30, rows=8) as terminal:
        terminal.sees("30x8 is too small")
        terminal.resize(80, 24)
        terminal.sees("> jarvis", "q quit")
        terminal.resize(40, 12)
        text = terminal.until(lambda text: "> jarvis" in text and "level" in text)
        assert all(len(line) <= 40 for line in text.splitlines())


def test_no_color_and_ascii_are_respected(daemon):
    ascii_only = {"NO_COLOR": "1", "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    with monitor(daemon, environ=os.environ | ascii_only) as terminal:
        terminal.sees("> jarvis", "up/down word")
        assert b"\x1b[3" not in terminal.raw  # no colour of the foreground
        assert terminal.raw.isascii()
        terminal.type("q")
        assert terminal.end() == 0


def test_without_a_terminal_other_commands_are_suggested(daemon):
    done = wakeword("monitor", "--socket", daemon.socket, stdin=subprocess.DEVNULL)
    assert done.returncode == 1
    assert done.stderr == (
        "wakeword: the monitor needs a terminal; `wakeword status` and `wakeword listen` do not\n"
    )
