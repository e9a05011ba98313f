"""The command line as people and scripts use it: output, exit codes, and what bad input gets."""

import json
import os
import re
import signal
import subprocess
import sys
from itertools import pairwise

import pytest
import soundfile
from support.daemon import AUDIO, PATIENCE, WAKEWORD, recording, wakeword
from support.models import random_model

import wakeword_daemon
from wakeword_daemon import resources
from wakeword_daemon.cli import COMMANDS
from wakeword_daemon.engine import OperatingPoint
from wakeword_daemon.engine.modelfile import save_model

MODEL = resources.shipped_models()["jarvis"]


@pytest.fixture(autouse=True)
def _no_config_of_the_user(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "none"))


def refused(done, sentence, code=1):
    """Check that a command failed with one clear sentence, and no traceback."""
    assert done.returncode == code, done.stderr
    assert re.search(sentence, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("wakeword: ")


# Help and usage


def test_version():
    assert wakeword("--version").stdout == f"wakeword {wakeword_daemon.__version__}\n"


def test_help_names_every_command():
    shown = wakeword("--help").stdout
    for name, summary in COMMANDS.items():
        assert name in shown
        assert summary in shown


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"train"}))
def test_each_command_has_help(command):
    done = wakeword(command, "--help")
    assert done.returncode == 0
    assert f"usage: wakeword {command}" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("sing",),
        ("run", "--loud"),
        ("run", "--input", "a.wav", "--device", "b"),
        ("listen", "--count", "0"),
        ("listen", "--timeout", "soon"),
        ("detect",),
        ("detect", "--threshold", "1.5", "a.wav"),
        ("scores",),
    ],
    ids=" ".join,
)
def test_usage_errors_are_told_and_exit_with_2(arguments):
    done = wakeword(*arguments)
    assert done.returncode == 2
    assert "usage: wakeword" in done.stderr
    assert "Traceback" not in done.stderr


# detect


def test_detect_prints_file_time_word_and_score(tmp_path):
    path = tmp_path / "in.wav"
    ends = recording(path, 1.0, "jarvis-slt", 1.0, "other-slt", 1.0, "jarvis-rms", 1.0)
    done = wakeword("detect", path)
    assert done.returncode == 0, done.stderr
    lines = [line.split("  ") for line in done.stdout.splitlines()]
    assert [(line[0], line[2]) for line in lines] == [(str(path), "jarvis")] * 2
    for line, end in zip(lines, (ends[0], ends[2]), strict=True):
        assert abs(float(line[1]) - end / 16_000) < 0.5
        assert 0.5 < float(line[3]) <= 1


def test_detect_json_is_one_object_a_line():
    done = wakeword("detect", "--json", AUDIO / "jarvis-slt.flac", AUDIO / "jarvis-rms.flac")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["file"] for one in found] == [
        str(AUDIO / "jarvis-slt.flac"),
        str(AUDIO / "jarvis-rms.flac"),
    ]
    assert all(one.keys() == {"file", "time", "word", "score"} for one in found)


def test_detect_hears_any_rate_and_channels(tmp_path):
    pcm, rate = soundfile.read(AUDIO / "jarvis-slt.flac", always_2d=True)
    for name in ("slow.ogg", "stereo.wav"):
        factor = {"slow.ogg": 1, "stereo.wav": 2}[name]
        soundfile.write(tmp_path / name, pcm.repeat(2, 1).repeat(factor, 0), rate * factor)
    done = wakeword("detect", tmp_path / "slow.ogg", tmp_path / "stereo.wav")
    assert done.stdout.count("jarvis") == 2, done.stderr


def test_detect_says_what_is_no_audio_and_goes_on(tmp_path):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("This is not audio, however long it may go on about it.")
    soundfile.write(tmp_path / "short.wav", [], 16_000)
    bad = [tmp_path / name for name in ("none.wav", "empty.wav", "text.wav", "short.wav", "")]
    done = wakeword("detect", *bad, AUDIO / "jarvis-slt.flac")
    refused(done, "")
    for path in bad:
        assert str(path) in done.stderr
    assert len(done.stderr.splitlines()) == len(bad)
    assert done.stdout.startswith(str(AUDIO / "jarvis-slt.flac"))


def test_threshold_decides(tmp_path):
    strict = wakeword("detect", "--threshold", "0.9999999", AUDIO / "jarvis-slt.flac")
    assert (strict.returncode, strict.stdout) == (0, "")
    config = tmp_path / "config.yaml"
    config.write_text("words: {jarvis: {threshold: 0.9999999}}")
    assert wakeword("detect", "--config", config, AUDIO / "jarvis-slt.flac").stdout == ""
    flag = ("--threshold", "0.5")
    assert wakeword("detect", "--config", config, *flag, AUDIO / "jarvis-slt.flac").stdout


# scores


def test_scores_of_a_file_and_of_a_pipe_are_the_same():
    path = AUDIO / "jarvis-slt.flac"
    of_file = wakeword("scores", path)
    pcm, _ = soundfile.read(path, dtype="int16")
    of_pipe = wakeword("scores", "--word", "jarvis", "-", input=pcm.tobytes(), text=False)
    rows, piped = (
        [tuple(map(float, line.split())) for line in text.splitlines()]
        for text in (of_file.stdout, of_pipe.stdout.decode())
    )
    for row, same in zip(rows, piped, strict=True):  # a pipe's pieces round otherwise
        assert same == pytest.approx(row, abs=1e-5)
    steps = [after - before for (before, _), (after, _) in pairwise(rows)]
    assert steps == pytest.approx([0.08] * len(steps))
    assert rows[-1][0] <= len(pcm) / 16_000
    assert max(score for _, score in rows) > 0.5 > rows[0][1]


def test_scores_come_while_the_pipe_is_still_open():
    pcm, _ = soundfile.read(AUDIO / "jarvis-slt.flac", dtype="int16")
    with subprocess.Popen(
        [*WAKEWORD, "scores", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdin.write(pcm[:8000].tobytes())
        process.stdin.flush()
        assert process.stdout.readline().split()[0] == b"0.215"
        process.stdin.close()


def test_a_reader_that_leaves_early_is_no_error():
    pcm, _ = soundfile.read(AUDIO / "jarvis-slt.flac", dtype="int16")
    with subprocess.Popen(
        [*WAKEWORD, "scores", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdin.write(pcm[:8000].tobytes())
        process.stdin.flush()
        process.stdout.readline()
        process.stdout.close()
        process.stdin.write(pcm[8000:].tobytes())
        process.stdin.close()
        assert process.wait(PATIENCE) == 141
        assert process.stderr.read() == b""


def test_interrupt_is_quiet():
    with subprocess.Popen(
        [*WAKEWORD, "scores", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdin.write(bytes(32_000))
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
        assert process.stderr.read() == b""


# words


def test_words_lists_shipped_and_configured(tmp_path):
    save_model(tmp_path / "hey.safetensors", random_model("hey", threshold=0.7))
    config = tmp_path / "config.yaml"
    config.write_text("words: {hey: {model: hey.safetensors, threshold: 0.9}}")
    done = wakeword("words", "--json", "--config", config)
    words = {word["name"]: word for word in map(json.loads, done.stdout.splitlines())}
    assert words["hey"]["configured"]
    assert words["hey"]["threshold"] == 0.9
    assert words["hey"]["path"] == str(tmp_path / "hey.safetensors")
    assert not words["jarvis"]["configured"]
    assert words["jarvis"]["bytes"] == MODEL.stat().st_size
    listed = wakeword("words", "--config", config).stdout.splitlines()
    marked = {line[2:].split()[0]: line[0] for line in listed}
    assert {"hey", *resources.shipped_models()} == set(marked)
    assert [word for word, mark in marked.items() if mark == "*"] == ["hey"]


POINTS = [OperatingPoint(0.25, 0.99, 0.1, 0.2), OperatingPoint(1.0, 0.625, 0.025, 0.9)]


def test_words_shows_the_threshold_of_a_sensitivity_and_what_others_would_cost(tmp_path):
    save_model(tmp_path / "hey.safetensors", random_model("hey", points=POINTS))
    config = tmp_path / "config.yaml"
    config.write_text("words: {hey: {model: hey.safetensors, sensitivity: 2 false accepts/hour}}")
    done = wakeword("words", "--points", "--config", config)
    assert done.returncode == 0, done.stderr
    told = next(part for part in done.stdout.split("\n\n") if part.startswith("* hey"))
    line, _, _, *rows = told.splitlines()
    assert "threshold 0.625" in line
    assert [row.split() for row in rows] == [
        ["0.25", "0.990000", "10.0%", "0.20"],
        ["1", "0.625000", "2.5%", "0.90"],
    ]
    listed = map(json.loads, wakeword("words", "--json", "--config", config).stdout.splitlines())
    words = {word["name"]: word for word in listed}
    hey, jarvis = words["hey"], words["jarvis"]
    assert (hey["threshold"], hey["sensitivity"]) == (0.625, "2 false accepts/hour")
    assert [point["target"] for point in hey["points"]] == [0.25, 1.0]
    assert jarvis["sensitivity"] is None


def test_a_sensitivity_that_was_not_measured_is_told(tmp_path):
    save_model(tmp_path / "hey.safetensors", random_model("hey", points=POINTS))
    save_model(tmp_path / "you.safetensors", random_model("you"))
    config = tmp_path / "config.yaml"
    for word, sentence in (
        ("hey", r"of hey was not measured at .* 0\.1 false accepts/hour .* from 0\.25, 1, or set"),
        ("you", r"of you was not measured at any sensitivity; set its threshold"),
    ):
        setting = f"model: {word}.safetensors, sensitivity: 0.1 false accepts/hour"
        config.write_text(f"words: {{{word}: {{{setting}}}}}")
        refused(wakeword("run", "--demo", "--config", config), sentence, code=2)
        refused(wakeword("detect", "--config", config, "x.wav"), sentence, code=2)
        listed = wakeword("words", "--config", config)
        refused(listed, sentence)
        assert "jarvis" in listed.stdout


def test_a_threshold_flag_overrides_a_sensitivity(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("words: {jarvis: {sensitivity: 2 false accepts/hour}}")
    heard = wakeword("detect", "--config", config, AUDIO / "jarvis-slt.flac")
    assert "jarvis" in heard.stdout, heard.stderr
    flag = ("--threshold", "0.9999999")
    strict = wakeword("detect", "--config", config, *flag, AUDIO / "jarvis-slt.flac")
    assert (strict.returncode, strict.stdout) == (0, ""), strict.stderr


# Bad input


@pytest.mark.parametrize("command", [("run", "--demo"), ("detect", "x.wav"), ("words",)])
def test_a_bad_config_is_told_with_its_line(tmp_path, command):
    config = tmp_path / "config.yaml"
    config.write_text("audio:\n  devcie: USB\n")
    done = wakeword(*command, "--config", config)
    refused(done, r"config\.yaml:2: unknown key audio\.devcie; did you mean device\?", code=2)


def test_a_config_that_is_not_there_is_told(tmp_path):
    refused(wakeword("run", "--config", tmp_path / "none.yaml"), "No such file", code=2)


def damaged(path, kind):
    content = bytearray(MODEL.read_bytes())
    if kind == "truncated":
        content = content[: len(content) // 2]
    elif kind == "altered":
        content[-1000] ^= 1
    elif kind == "empty":
        content = b""
    else:
        content = b"RIFF" + bytes(1000)
    path.write_bytes(content)


@pytest.mark.parametrize("kind", ["truncated", "altered", "empty", "another file"])
@pytest.mark.parametrize("command", [("run", "--demo"), ("detect", "x.wav"), ("scores", "-")])
def test_a_damaged_model_is_one_clear_sentence(tmp_path, kind, command):
    damaged(tmp_path / "jarvis.safetensors", kind)
    config = tmp_path / "config.yaml"
    config.write_text("words: {jarvis: {model: jarvis.safetensors}}")
    done = wakeword(*command, "--config", config, stdin=subprocess.DEVNULL)
    refused(done, str(tmp_path / "jarvis.safetensors"))
    assert len(done.stderr.splitlines()) == 1


def test_a_missing_model_is_told(tmp_path):
    refused(wakeword("run", "--demo", "--word", "jarvsi"), "did you mean 'jarvis'")
    config = tmp_path / "config.yaml"
    config.write_text("words: {jarvis: {model: gone.safetensors}}")
    refused(wakeword("run", "--config", config), f"no model file {tmp_path}/gone.safetensors")


def test_a_model_of_another_word_is_told(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("words: {computer: {model: jarvis}}")
    refused(wakeword("run", "--demo", "--config", config), "hears 'jarvis'", code=2)


@pytest.mark.parametrize("name", ["none.wav", "text.wav", "empty.wav", "."])
def test_the_daemon_refuses_an_input_that_is_no_audio(tmp_path, name):
    (tmp_path / "text.wav").write_text("not audio")
    (tmp_path / "empty.wav").touch()
    done = wakeword("run", "--input", tmp_path / name, "--socket", tmp_path / "s")
    refused(done, re.escape(str(tmp_path / name) if name != "." else str(tmp_path)))
    assert not (tmp_path / "s").exists()


def test_clients_say_that_no_daemon_is_there(tmp_path):
    for command in (("listen",), ("status",)):
        refused(wakeword(*command, "--socket", tmp_path / "s"), "wakeword run")


def test_without_portaudio_the_command_that_installs_it_is_named(tmp_path):
    """The library is hidden from the loader, as on a machine that lacks it."""
    hide = tmp_path / "sitecustomize.py"
    hide.write_text("import ctypes.util\nctypes.util.find_library = lambda name: None\n")
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    for command in (("devices",), ("run", "--socket", tmp_path / "s")):
        done = wakeword(*command, env=os.environ | {"PYTHONPATH": path})
        refused(done, "apt install libportaudio2")


def test_without_a_microphone_devices_says_so(tmp_path):
    """ALSA is given a card that is not there, as on a machine without a sound card."""
    (tmp_path / "alsa.conf").write_text("pcm.absent { type hw card 99 }\n")
    settings = {"ALSA_CONFIG_PATH": str(tmp_path / "alsa.conf"), "JACK_NO_START_SERVER": "1"}
    done = wakeword("devices", env=os.environ | settings)
    refused(done, "no microphone")
    assert done.stdout == ""
