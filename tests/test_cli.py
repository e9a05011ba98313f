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
from wakeword_daemon.engine import OperatingPoint, read_model
from wakeword_daemon.engine.modelfile import save_model
from wakeword_daemon.engine.streams import running_step

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


def samples(name):
    return soundfile.read(AUDIO / f"{name}.flac", dtype="int16")[0]


# Help and usage


def test_version():
    shown = wakeword("--version").stdout
    assert shown == f"wakeword {wakeword_daemon.__version__}, step in {running_step()}\n"


def test_help_names_every_command():
    shown = " ".join(wakeword("--help").stdout.split())
    for name, summary in COMMANDS.items():
        assert name in shown
        assert summary in shown


@pytest.mark.parametrize("command", sorted(COMMANDS))
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
        ("words", "--word", "jarvis"),
    ],
    ids=" ".join,
)
def test_usage_errors_exit_with_2_and_a_message(arguments):
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


def test_detect_takes_any_rate_and_number_of_channels(tmp_path):
    pcm, rate = soundfile.read(AUDIO / "jarvis-slt.flac", always_2d=True)
    for name in ("slow.ogg", "stereo.wav"):
        factor = {"slow.ogg": 1, "stereo.wav": 2}[name]
        soundfile.write(tmp_path / name, pcm.repeat(2, 1).repeat(factor, 0), rate * factor)
    done = wakeword("detect", tmp_path / "slow.ogg", tmp_path / "stereo.wav")
    assert done.stdout.count("jarvis") == 2, done.stderr


def test_detect_reports_a_file_without_audio_and_continues(tmp_path):
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


def test_the_threshold_option_decides_what_is_reported(tmp_path):
    strict = wakeword("detect", "--threshold", "0.9999999", AUDIO / "jarvis-slt.flac")
    assert (strict.returncode, strict.stdout) == (0, "")
    config = tmp_path / "config.yaml"
    config.write_text("words: {jarvis: {threshold: 0.9999999}}")
    assert wakeword("detect", "--config", config, AUDIO / "jarvis-slt.flac").stdout == ""
    flag = ("--threshold", "0.5")
    assert wakeword("detect", "--config", config, *flag, AUDIO / "jarvis-slt.flac").stdout


@pytest.mark.parametrize("suffix", [".raw", ".pcm", ".RAW"])
def test_detect_takes_raw_samples(tmp_path, suffix):
    path = tmp_path / f"in{suffix}"
    path.write_bytes(samples("jarvis-slt").tobytes())
    done = wakeword("detect", path)
    assert done.stdout.split()[2] == "jarvis", done.stderr


def test_detect_reads_standard_input_beside_files():
    path = AUDIO / "jarvis-slt.flac"
    raw = samples("jarvis-slt").tobytes()
    done = wakeword("detect", path, "-", input=raw, text=False)
    of_file, of_pipe = (line.split() for line in done.stdout.decode().splitlines())
    assert (of_file[0], of_pipe[0]) == (str(path), "-")
    assert of_file[1:3] == of_pipe[1:3]


def test_empty_or_closed_standard_input_is_reported():
    for command in (("detect", "-"), ("scores", "-")):
        refused(wakeword(*command, stdin=subprocess.DEVNULL), "no sound on standard input")
        closed = ("sh", "-c", 'exec "$@" <&-', "sh", *WAKEWORD, *command)
        done = subprocess.run(closed, capture_output=True, text=True, check=False)
        refused(done, "standard input is closed")


def test_the_command_that_converts_another_format_is_named(tmp_path):
    names = ["clip.m4a", "two words.webm", "text.wav"]
    for name in names:
        (tmp_path / name).write_bytes(b"\0\0\0\x20ftypM4A " + bytes(1000))
    done = wakeword("detect", *(tmp_path / name for name in names), AUDIO / "jarvis-slt.flac")
    refused(done, f"ffmpeg -i {tmp_path}/clip.m4a -ac 1 -ar 16000 converted.wav")
    assert f"ffmpeg -i '{tmp_path}/two words.webm'" in done.stderr
    assert len(done.stderr.splitlines()) == len(names)
    assert str(AUDIO / "jarvis-slt.flac") in done.stdout


def test_a_damaged_file_does_not_stop_the_others(tmp_path):
    good = AUDIO / "jarvis-slt.flac"
    content = good.read_bytes()
    (tmp_path / "cut.flac").write_bytes(content[: len(content) // 8] + bytes(20_000))
    done = wakeword("detect", good, tmp_path / "cut.flac", good)
    refused(done, "cut.flac is damaged after")
    assert done.stdout.count(str(good)) == 2


def test_a_named_pipe_is_refused_as_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    refused(wakeword("detect", tmp_path / "pipe.wav"), "is not a file; to read a pipe")


# --word


def test_word_option_takes_the_path_of_a_model_file(tmp_path):
    save_model(tmp_path / "mine.safetensors", read_model(MODEL))
    path = AUDIO / "jarvis-slt.flac"
    done = wakeword("detect", "--word", "./mine.safetensors", path, cwd=tmp_path)
    assert done.stdout.split()[2] == "jarvis", done.stderr
    done = wakeword("scores", "--word", tmp_path / "mine.safetensors", path)
    assert max(float(line.split()[1]) for line in done.stdout.splitlines()) > 0.5


def test_several_word_options_are_all_used(tmp_path):
    save_model(tmp_path / "hey.safetensors", random_model("hey"))
    chosen = ("--word", "smart mirror", "--word", "jarvis", "--word", tmp_path / "hey.safetensors")
    done = wakeword("scores", *chosen, AUDIO / "jarvis-slt.flac")
    head, *rows = done.stdout.splitlines()
    assert head == "# seconds smart_mirror jarvis hey", done.stderr
    assert {len(row.split()) for row in rows} == {4}
    found = wakeword("detect", *chosen[:4], AUDIO / "jarvis-slt.flac")
    assert found.stdout.split()[2] == "jarvis", found.stderr


@pytest.mark.parametrize("name", ["smart mirror", "Smart-Mirror", "smart_mirror"])
def test_a_word_may_be_spelled_as_it_is_spoken(tmp_path, name):
    quiet = ("scores", AUDIO / "jarvis-slt.flac")
    assert wakeword(*quiet, "--word", name).returncode == 0
    config = tmp_path / "config.yaml"
    config.write_text(f"words: {{{name}: {{threshold: 0.25}}}}")
    assert wakeword(*quiet, "--config", config).returncode == 0
    assert wakeword(*quiet, "--config", config, "--word", "smart_mirror").returncode == 0
    listed = map(json.loads, wakeword("words", "--json", "--config", config).stdout.splitlines())
    words = {word["name"]: word["threshold"] for word in listed if word["configured"]}
    assert words == {"smart_mirror": 0.25}


def test_a_chosen_word_keeps_its_settings(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("words: {smart mirror: {model: gone.safetensors}, jarvis: {}}")
    done = wakeword("detect", "--config", config, "--word", "Smart-Mirror", "x.wav")
    refused(done, "no model file .*gone.safetensors")


def test_the_same_word_twice_is_refused(tmp_path):
    refused(wakeword("detect", "--word", "jarvis", "--word", MODEL, "x.wav"), "twice", code=2)
    config = tmp_path / "config.yaml"
    config.write_text("words: {smart mirror: {}, smart_mirror: {}}")
    refused(wakeword("detect", "--config", config, "x.wav"), "'smart_mirror' is set twice", 2)


def test_a_picture_shows_one_word():
    done = wakeword("plot", "--word", "jarvis", "--word", "alexa", AUDIO / "jarvis-slt.flac")
    refused(done, "takes one word; choose it with --word: jarvis, alexa", code=2)


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


def test_scores_are_printed_while_the_pipe_is_open():
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


@pytest.mark.parametrize("command", [("words",), ("--help",), ("detect", "a.flac")], ids=" ".join)
def test_a_full_disk_is_reported_in_one_sentence(command):
    environment = {name: v for name, v in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        arguments = [AUDIO / "jarvis-slt.flac" if "flac" in word else word for word in command]
        done = wakeword(
            *arguments, env=environment, capture_output=False, stdout=full, stderr=subprocess.PIPE
        )
    assert done.stderr == "wakeword: cannot use the output: No space left on device\n"
    assert done.returncode == 1


def test_help_into_a_pipe_that_closes_is_quiet():
    environment = {name: v for name, v in os.environ.items() if name != "PYTHONUNBUFFERED"}
    reader, writer = os.pipe()
    os.close(reader)
    done = wakeword(
        "--help", env=environment, capture_output=False, stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_closed_output_is_no_error():
    closed = ("sh", "-c", 'exec "$@" >&-', "sh", *WAKEWORD, "words")
    done = subprocess.run(closed, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_interrupt_is_quiet():
    with subprocess.Popen(
        [*WAKEWORD, "scores", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Tests that run in the background inherit that interrupts are ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
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


def test_words_shows_the_threshold_of_a_sensitivity_and_the_alternatives(tmp_path):
    save_model(tmp_path / "hey.safetensors", random_model("hey", points=POINTS, threshold=0.8))
    config = tmp_path / "config.yaml"
    config.write_text("words: {hey: {model: hey.safetensors, sensitivity: 2 false accepts/hour}}")
    done = wakeword("words", "--points", "--config", config)
    assert done.returncode == 0, done.stderr
    told = next(part for part in done.stdout.split("\n\n") if part.startswith("* hey"))
    line, _, _, *rows, rule = told.splitlines()
    assert "threshold 0.625" in line
    assert [row.split() for row in rows] == [
        ["0.25", "0.990000", "10.0%", "0.20"],
        ["1", "0.625000", "2.5%", "0.90"],
    ]
    assert "up to 0.5 gets at least the default threshold, 0.8" in rule
    listed = map(json.loads, wakeword("words", "--json", "--config", config).stdout.splitlines())
    words = {word["name"]: word for word in listed}
    hey, jarvis = words["hey"], words["jarvis"]
    assert (hey["threshold"], hey["sensitivity"]) == (0.625, "2 false accepts/hour")
    assert [point["target"] for point in hey["points"]] == [0.25, 1.0]
    assert jarvis["sensitivity"] is None


def test_an_unmeasured_sensitivity_is_refused(tmp_path):
    save_model(tmp_path / "hey.safetensors", random_model("hey", points=POINTS, threshold=0.8))
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
def test_an_error_in_the_config_names_its_line(tmp_path, command):
    config = tmp_path / "config.yaml"
    config.write_text("audio:\n  devcie: USB\n")
    done = wakeword(*command, "--config", config)
    refused(done, r"config\.yaml:2: unknown key audio\.devcie; did you mean device\?", code=2)


def test_a_missing_config_is_reported(tmp_path):
    refused(wakeword("run", "--config", tmp_path / "none.yaml"), "No such file", code=2)


@pytest.fixture
def forbid():
    """Return a function that runs a command to which a file or folder is forbidden."""
    drop = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--")
    if os.geteuid():
        drop = ()
    elif subprocess.run([*drop, "true"], capture_output=True, check=False).returncode:
        pytest.skip("root may read everything here")
    closed = []

    def run(path, *arguments, **options):
        path.chmod(0)
        closed.append(path)
        command = [*drop, *WAKEWORD, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, **options)

    yield run
    for path in closed:
        path.chmod(0o700)


def test_a_forbidden_file_is_reported_in_one_sentence(tmp_path, forbid):
    clip = tmp_path / "clip.wav"
    recording(clip, 1.0)
    done = forbid(clip, "detect", clip, AUDIO / "jarvis-slt.flac")
    refused(done, f"Cannot read {clip}: Permission denied")
    assert str(AUDIO / "jarvis-slt.flac") in done.stdout
    folder = tmp_path / "mine"
    folder.mkdir()
    model = folder / "jarvis.safetensors"
    refused(forbid(folder, "detect", "--word", model, "x.wav"), f"{model} cannot be read: Perm")


@pytest.mark.parametrize("command", [("words",), ("detect", "x.wav"), ("run", "--demo")])
def test_a_forbidden_config_folder_is_reported_in_one_sentence(tmp_path, forbid, command):
    folder = tmp_path / "config"
    (folder / "wakeword").mkdir(parents=True)
    environment = os.environ | {"XDG_CONFIG_HOME": str(folder)}
    done = forbid(folder, *command, env=environment)
    refused(done, f"cannot read the config file {folder}/wakeword/config.yaml: Permission", 2)


def test_a_path_as_a_word_in_the_config_is_refused(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("words: {mine/hey.safetensors: {}}")
    refused(wakeword("words", "--config", config), "name the word, and set its model", code=2)


def test_a_missing_extra_is_reported_with_the_command_that_installs_it(tmp_path):
    (tmp_path / "matplotlib.py").write_text("raise ModuleNotFoundError(name='matplotlib')")
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    done = wakeword("plot", "x.wav", env=os.environ | {"PYTHONPATH": path})
    refused(done, r"drawing needs the package matplotlib; in a clone .* pip install '\.\[train\]'")


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
def test_a_damaged_model_is_reported_in_one_sentence(tmp_path, kind, command):
    damaged(tmp_path / "jarvis.safetensors", kind)
    config = tmp_path / "config.yaml"
    config.write_text("words: {jarvis: {model: jarvis.safetensors}}")
    done = wakeword(*command, "--config", config, stdin=subprocess.DEVNULL)
    refused(done, str(tmp_path / "jarvis.safetensors"))
    assert len(done.stderr.splitlines()) == 1


def test_a_missing_model_is_reported(tmp_path):
    refused(wakeword("run", "--demo", "--word", "jarvsi"), "did you mean 'jarvis'")
    config = tmp_path / "config.yaml"
    config.write_text("words: {jarvis: {model: gone.safetensors}}")
    refused(wakeword("run", "--config", config), f"no model file {tmp_path}/gone.safetensors")


def test_a_model_of_another_word_is_refused(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("words: {computer: {model: jarvis}}")
    refused(wakeword("run", "--demo", "--config", config), "hears 'jarvis'", code=2)


@pytest.mark.parametrize("name", ["none.wav", "text.wav", "empty.wav", "."])
def test_the_daemon_refuses_an_input_without_audio(tmp_path, name):
    (tmp_path / "text.wav").write_text("not audio")
    (tmp_path / "empty.wav").touch()
    done = wakeword("run", "--input", tmp_path / name, "--socket", tmp_path / "s")
    refused(done, re.escape(str(tmp_path / name) if name != "." else str(tmp_path)))
    assert not (tmp_path / "s").exists()


def test_status_reports_that_no_daemon_is_running(tmp_path):
    refused(wakeword("status", "--socket", tmp_path / "s"), "wakeword run")


def test_missing_portaudio_names_the_command_that_installs_it(tmp_path):
    """It and libpulse are hidden from the loader, as on a machine that lacks them."""
    hide = tmp_path / "sitecustomize.py"
    hide.write_text(
        "import ctypes.util\n"
        "ctypes.util.find_library = lambda name: None\n"
        "load = ctypes._dlopen\n"
        "def _dlopen(name, mode):\n"
        "    return load(f'no-{name}' if name and 'pulse' in name else name, mode)\n"
        "ctypes._dlopen = _dlopen\n"
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    for command in (("devices",), ("run", "--socket", tmp_path / "s")):
        done = wakeword(*command, env=os.environ | {"PYTHONPATH": path})
        refused(done, "apt install libportaudio2")


def test_devices_reports_that_there_is_no_microphone(tmp_path):
    """ALSA is given a card that is not there, as on a machine without a sound card."""
    (tmp_path / "alsa.conf").write_text("pcm.absent { type hw card 99 }\n")
    settings = {"ALSA_CONFIG_PATH": str(tmp_path / "alsa.conf"), "JACK_NO_START_SERVER": "1"}
    done = wakeword("devices", env=os.environ | settings)
    refused(done, "there is no microphone")
    assert done.stdout == ""
