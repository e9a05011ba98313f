"""What every command prints: JSON beside each table, and on a terminal alone what is redrawn."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from support.daemon import AUDIO, WAKEWORD, Daemon, recording, until, wakeword
from support.terminal import Terminal

from wakeword_daemon.cli import COMMANDS, build_parser
from wakeword_daemon.clips.clip import Clip
from wakeword_daemon.clips.folder import ClipFolder
from wakeword_daemon.counts import counted

pytestmark = pytest.mark.slow

NO_TABLE = {
    "run": "a log",
    "serve": "a log",
    "page": "its address",
    "monitor": "a view of the whole screen",
    "pause": "a sentence",
    "resume": "a sentence",
    "service": "a sentence, or what systemctl prints",
    "record": "a conversation",
    "plot": "a sentence",
    "metrics": "its address",
    "background": "sentences",
    "try": "a meter and sentences",
}
"""What the commands print that have no `--json`."""


def subparser(command):
    (commands,) = (a for a in build_parser(COMMANDS)._actions if isinstance(a.choices, dict))
    return commands.choices[command]


def has_json(command):
    return "--json" in subparser(command)._option_string_actions


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_that_print_tables_also_print_json(command):
    assert has_json(command) != (command in NO_TABLE)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """What the calls below speak of: a folder with a few files, and a daemon."""
    folder = tmp_path_factory.mktemp("place")
    recording(folder / "in.wav", 1.0, "jarvis-slt", 90.0)
    clip = Clip(
        word="jarvis", kind="detection", score=0.9, threshold=0.5, model="m",
        wall_time=1.8e9, at=2.0, seconds=2.8,
    )  # fmt: skip
    ClipFolder(folder / "clips").add(clip, np.zeros(44_800, np.int16))
    (folder / "config.yaml").write_text("words:\n  jarvis:\n  alexa:\n")
    with Daemon("--demo") as daemon:
        daemon.notified("READY")
        until(lambda: daemon.status()["last_detection"], "a detection")
        yield {"place": folder, "socket": daemon.socket, "audio": AUDIO}


CALLS = {
    "run": "--check --config {place}/config.yaml",
    "serve": "--uri nonsense",
    "page": "--host nowhere.invalid",
    "listen": "--socket {socket} --count 1",
    "status": "--socket {socket}",
    "monitor": "--socket {socket}",
    "pause": "--socket {place}/none",
    "resume": "--socket {place}/none",
    "detect": "{audio}/jarvis-slt.flac",
    "scores": "--word jarvis --word alexa {audio}/jarvis-slt.flac",
    "devices": "",
    "doctor": "",
    "words": "--points",
    "service": "status",
    "calibrate": "--word jarvis --from {place}/in.wav",
    "record": "jarvis --data {place}/recordings",
    "review": "--list --folder {place}/clips",
    "train": "jarvis --data {place}",
    "evaluate": "jarvis --data {place}",
    "plot": "--output {place}/out.svg {audio}/jarvis-slt.flac",
    "metrics": "--port 99999",
    "background": "--synthetic 0",
    "cache": "",
    "try": "jarvis --input {audio}/jarvis-slt.flac",
    "lab": "{place}/none.yaml --data {place} --word jarvis",
}
"""A call of each command. Some fail, with a sentence; the tests of training see that it prints."""

TRAINING = {"train", "evaluate", "lab", "background"}
"""They take seconds to load torch, so they are called once; their own tests read their JSON."""


@pytest.fixture
def call(place, monkeypatch, tmp_path):
    """Return a function that gives the arguments of a command's call."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return lambda command: [command, *(part.format(**place) for part in CALLS[command].split())]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_pipe_gets_no_progress_output(command, call):
    done = wakeword(*call(command), stdin=subprocess.DEVNULL)
    told = done.stdout + done.stderr
    assert told
    assert "\x1b" not in told
    assert "\r" not in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    "command", [name for name in COMMANDS if has_json(name) and name not in TRAINING]
)
def test_json_is_one_object_a_line(command, call):
    done = wakeword(*call(command), "--json", stdin=subprocess.DEVNULL)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(isinstance(row, dict) for row in rows)
    # There may be no microphone here, and nothing may have been trained.
    assert rows or command in ("devices", "cache"), done.stderr


COLOUR = re.compile(rb"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in TRAINING])
def test_a_narrow_terminal_without_colour_works(command, call):
    environ = os.environ | {"NO_COLOR": "1"}
    with Terminal(*WAKEWORD, *call(command), columns=24, environ=environ) as terminal:
        if command == "monitor":
            terminal.sees("too small")
            terminal.type("q")
        code = terminal.end()
    assert code in (0, 1, 2, 3)
    assert not COLOUR.search(terminal.raw.replace(b"\x1b[0m", b""))
    assert "Traceback" not in terminal.printed


def test_only_one_thing_is_singular():
    assert [counted(number, "gap") for number in range(3)] == ["0 gaps", "1 gap", "2 gaps"]


def test_progress_is_one_line_however_narrow_the_terminal():
    code = """if True:
        from wakeword_daemon.cli._line import Line
        with Line(after=0, every=0) as line:
            for second in range(50):
                line.show(f"{second} s of a very long evening were heard")
            line.wipe()
            print("a detection")
            line.show("and it goes on, and on, and on")
            input()
        print("the end")
    """
    with Terminal(sys.executable, "-c", code, columns=24) as terminal:
        text = terminal.sees("a detection", "and it goes on")
        assert text.splitlines()[:2] == ["a detection", "and it goes on, and on,"]
        assert "49 s of a very long eve" in terminal.printed
        terminal.type("\n")
        assert terminal.end() == 0
        assert "the end" in terminal.text
    piped = subprocess.run(
        [sys.executable, "-c", code], input="\n", capture_output=True, text=True, check=True
    )
    assert (piped.stdout, piped.stderr) == ("a detection\nthe end\n", "")
