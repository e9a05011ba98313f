"""Writing a threshold into a config file: what changes in it, and what stays."""

import stat

import pytest

from wakeword_daemon import config, resources
from wakeword_daemon.config import WordSection
from wakeword_daemon.errors import ConfigError

COMMENTED = """\
# My words.
audio: {device: USB}   # the good one

words:
  # The one we use.
  jarvis:
    smoothing: 2    # steadier
    threshold: 0.6  # after a noisy evening

  "smart mirror": {}
log:
  level: debug
"""


@pytest.mark.parametrize(
    ("text", "after"),
    [
        (COMMENTED, COMMENTED.replace("0.6 ", "0.75 ")),
        ("", "words:\n  jarvis:\n    threshold: 0.75\n"),
        ("# nothing yet", "# nothing yet\nwords:\n  jarvis:\n    threshold: 0.75\n"),
        ("log: {level: debug}\n", "log: {level: debug}\nwords: {jarvis: {threshold: 0.75}}\n"),
        ("words:\n  jarvis:  # this\n", "words:\n  jarvis: {threshold: 0.75}  # this\n"),
        ("words: {jarvis: null}", "words: {jarvis: {threshold: 0.75}}"),
        ("words: {jarvis: {smoothing: 3}}", "words: {jarvis: {threshold: 0.75, smoothing: 3}}"),
        (
            "words:\r\n  jarvis:\r\n    threshold: null\r\n",
            "words:\r\n  jarvis:\r\n    threshold: 0.75\r\n",
        ),
        (
            "words:\n  jarvis:\n    smoothing: 3 # three\n# end\n",
            "words:\n  jarvis:\n    smoothing: 3 # three\n    threshold: 0.75\n# end\n",
        ),
        (
            "words:\n  jarvis:\n    sensitivity: 0.5 false accepts/hour # enough\n",
            "words:\n  jarvis:\n    sensitivity: null # enough\n    threshold: 0.75\n",
        ),
    ],
)
def test_only_the_threshold_in_the_file_changes(tmp_path, text, after):
    path = tmp_path / "config.yaml"
    path.write_bytes(text.encode())
    assert config.save_threshold(path, "jarvis", 0.75) == path
    assert path.read_bytes().decode() == after
    assert config.load(path).words["jarvis"].threshold == 0.75


def test_the_default_config_keeps_its_comments(tmp_path):
    path = tmp_path / "config.yaml"
    text = resources.default_config().read_text()
    path.write_text(text)
    config.save_threshold(path, "jarvis", 0.123456)
    assert path.read_text() == text.replace("threshold: null", "threshold: 0.123456")


def test_a_word_may_be_written_with_a_space_or_an_underscore(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(COMMENTED)
    config.save_threshold(path, "smart_mirror", 0.00001)
    assert config.load(path).words["smart mirror"] == WordSection(threshold=0.00001)
    assert config.load(path).words["jarvis"] == WordSection(threshold=0.6, smoothing=2)


def test_the_file_stays_private_and_a_link_stays_a_link(tmp_path):
    real, link = tmp_path / "real.yaml", tmp_path / "config.yaml"
    real.write_text("tcp: {token: secret}\n")
    real.chmod(0o600)
    link.symlink_to(real)
    config.save_threshold(link, "jarvis", 0.75)
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert config.load(real).tcp.token == "secret"  # noqa: S105


def test_without_a_config_file_the_user_gets_one(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    if config.find() != resources.default_config():
        pytest.skip("this machine has a config of its own")
    path = config.save_threshold(None, "jarvis", 0.75)
    assert path == tmp_path / "wakeword/config.yaml"
    assert config.load(config.find()).words == {"jarvis": WordSection(threshold=0.75)}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("words: {alexa: {}}", "does not name the word 'jarvis'"),
        ("words: {jarvis: &j {smoothing: 2}, alexa: *j}", "cannot be changed by this command"),
        ("words: {jarvis: {treshold: 0.5}}", "unknown key"),
    ],
)
def test_a_failed_change_is_reported_and_the_file_stays(tmp_path, text, told):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=told):
        config.save_threshold(path, "jarvis", 0.75)
    assert path.read_text() == text


def test_a_read_only_folder_is_reported_in_one_sentence(tmp_path, monkeypatch):
    path = tmp_path / "config.yaml"
    path.write_text("")

    def fail(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(config, "write_atomically", fail)
    with pytest.raises(ConfigError, match=r"cannot write .*: Read-only file system"):
        config.save_threshold(path, "jarvis", 0.75)
