from pathlib import Path

import msgspec
import pytest
import yaml

from wakeword_daemon import config, resources
from wakeword_daemon.config import Config, WordSection
from wakeword_daemon.errors import ConfigError


def test_default_file_holds_exactly_the_defaults():
    assert config.load(resources.default_config()) == Config()


def test_default_file_shows_every_setting():
    shown = yaml.safe_load(resources.default_config().read_text())
    everything = msgspec.to_builtins(Config())
    assert shown == everything


def test_left_out_settings_keep_their_defaults(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("words:\n  alexa:\n    threshold: 0.9\naudio:\n")
    loaded = config.load(file)
    assert loaded.words == {"alexa": WordSection(threshold=0.9)}
    assert loaded.audio == Config().audio
    assert loaded != Config()


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("0.25 false accepts/hour", 0.25),
        ("1 false accept/hour", 1.0),
        ('"0 false accepts/hour"', 0.0),
        ("null", None),
    ],
)
def test_a_sensitivity_is_read_as_a_rate(text, rate):
    word = config.parse(f"words: {{hi: {{sensitivity: {text}}}}}", "f.yaml").words["hi"]
    assert word.false_accepts_per_hour == rate


def test_an_empty_file_gives_all_defaults():
    assert config.parse("", "f.yaml") == Config()
    assert config.parse("# nothing\n", "f.yaml") == Config()


def test_a_relative_model_path_starts_at_the_config_file(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("words: {hey: {model: mine/hey.safetensors}, jarvis: {model: jarvis}}")
    words = config.load(file).words
    assert words["hey"].model == str(tmp_path / "mine/hey.safetensors")
    assert words["jarvis"].model == "jarvis"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("audio:\n  devise: x", "f.yaml:2: unknown key audio.devise; did you mean device?"),
        ("\nspeaker: 1", "f.yaml:2: unknown key speaker (known here: audio, words,"),
        ("audio: 3", "f.yaml:1: audio must be a mapping of names to settings, not '3'"),
        ("- audio", "f.yaml:1: the file must be a mapping of names to settings, not a list"),
        ("audio:\n  rate: fast", "f.yaml:2: audio.rate must be a rate from 8000"),
        ("audio:\n  rate: 4000", "f.yaml:2: audio.rate must be a rate from 8000"),
        ("audio:\n  channel: 0", "f.yaml:2: audio.channel must be the number of a channel"),
        ("audio:\n  channel: true", "f.yaml:2: audio.channel must be the number of a channel"),
        ("audio:\n  device: [a]", "f.yaml:2: audio.device must be a device's name"),
        ("audio:\n  history: .inf", "f.yaml:2: audio.history must be seconds from 2 to 60"),
        (
            "words:\n  hi:\n    threshold: 1.5",
            "f.yaml:3: words.hi.threshold must be a number above",
        ),
        ("words:\n  hi:\n    threshold: .nan", "f.yaml:3: words.hi.threshold must be a number"),
        (
            "words:\n  hi:\n    sensitivity: 0.25",
            "f.yaml:3: words.hi.sensitivity must be a rate such as 0.25 false accepts/hour",
        ),
        (
            "words:\n  hi:\n    sensitivity: -1 false accepts/hour",
            "f.yaml:3: words.hi.sensitivity must be a rate such as",
        ),
        (
            "words:\n  hi:\n    sensitivity: 1 false accepts/day",
            "f.yaml:3: words.hi.sensitivity must be a rate such as",
        ),
        (
            "words:\n  hi:\n    sensitivity: 1 false accept/hour\n    threshold: 0.5",
            "f.yaml:3: words.hi takes a threshold or a sensitivity, not both",
        ),
        (
            "words:\n  hi:\n    smoothing: 1.5",
            "f.yaml:3: words.hi.smoothing must be a whole number",
        ),
        (
            "words:\n  hi:\n    refactory: 1",
            "f.yaml:3: unknown key words.hi.refactory; did you mean",
        ),
        ("words:\n  hi: yes", "f.yaml:2: words.hi must be a mapping of names to settings"),
        ("words: {}", "f.yaml:1: words must be a mapping of at least one wake word's name"),
        ("log: {level: loud}", "f.yaml:1: log.level must be debug, info, warning or error"),
        ("log: {level: 1}\nlog: {}", "f.yaml:2: log is already set on line 1"),
        ("audio:\n  rate: 8000\n  rate: 9000", "f.yaml:3: audio.rate is already set on line 2"),
        ("? [a]\n: b", "f.yaml:1: a key of the file must be plain text, not a list"),
        ("audio: {", "f.yaml:1: not valid YAML"),
        ("audio:\n\tdevice: x", "f.yaml:2: not valid YAML"),
        ("a\0b", "f.yaml: not valid YAML"),
        ("audio: {device: !!python/name:os.system ''}", "f.yaml:1: audio.device must"),
    ],
)
def test_an_error_names_the_key_the_line_and_what_is_allowed(text, message):
    with pytest.raises(ConfigError) as caught:
        config.parse(text, "f.yaml")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_unreadable_files_are_reported(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        config.load(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="Is a directory"):
        config.load(tmp_path)
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not a text file"):
        config.load(binary)


def test_the_chosen_file_comes_before_the_users_file(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    if not Path("/etc/wakeword/config.yaml").exists():
        assert config.find() == resources.default_config()
    mine = tmp_path / "wakeword/config.yaml"
    mine.parent.mkdir()
    mine.touch()
    assert config.find() == mine
    assert config.find(tmp_path / "other.yaml") == tmp_path / "other.yaml"
