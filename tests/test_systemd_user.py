"""The units under a real `systemd --user`, in namespaces of its own."""

import contextlib
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from support.daemon import recording
from support.soundserver import PulseServer

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "tests/support/user_manager.sh"
SKIPPED = 77


def beside_manager(commands, settings=None):
    """Run shell commands where a user's manager runs; return what they print.

    `$wakeword` is the command line; `settings` are added to the manager's environment.
    """
    settings = {"PYTHONPATH": str(ROOT)} | (settings or {})
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in settings.items())
    preamble = (
        f"set -eu\n{exports}systemctl --user import-environment {' '.join(settings)}\n"
        f"wakeword='{sys.executable} -m wakeword_daemon'\n"
        'until_it() { for _ in $(seq 200); do "$@" && return; sleep 0.05; done; return 1; }\n'
        "pid() { systemctl --user show --property=MainPID --value wakeword; }\n"
    )
    done = subprocess.run(
        ["bash", SCRIPT, "bash", "-c", preamble + commands],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode == SKIPPED:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def room():
    with PulseServer() as server:
        server.hum()
        yield server


def test_install_listens_and_uninstall_leaves_nothing(room, tmp_path):
    """The sandbox of the unit is on: what it forbids, capture must not need."""
    recording(tmp_path / "word.wav", 0.5, "jarvis-slt", 0.5)
    wanted = ("PULSE_", "ALSA_", "JACK_")
    settings = {key: value for key, value in room.env().items() if key.startswith(wanted)}
    said = beside_manager(
        f"""
        $wakeword service install
        systemctl --user is-active wakeword.service wakeword.socket
        until_it $wakeword status > /dev/null
        systemctl --user show --property=StatusText --value wakeword
        $wakeword listen --count 1 --timeout 10 > $HOME/heard &
        until_it eval '$wakeword status | grep --quiet "subscribers.*;"'
        paplay --device=speaker {tmp_path}/word.wav
        wait $!
        cat $HOME/heard
        begin=$(date +%s%N)
        systemctl --user stop wakeword.service
        echo stopped in $((($(date +%s%N) - begin) / 1000000)) ms
        $wakeword service uninstall
        find $XDG_CONFIG_HOME/systemd/user $XDG_RUNTIME_DIR/wakeword -mindepth 1
        """,
        settings,
    )
    lines = said.splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["installed", "installed"]
    assert lines[2:5] == ["active", "active", "listening for jarvis on default at 16000 Hz"]
    assert "jarvis" in lines[5]
    assert int(lines[6].split()[2]) < 1000
    assert [line.split()[0] for line in lines[7:]] == ["removed", "removed"]


def test_a_crashed_daemon_is_replaced_and_nobody_is_refused_meanwhile():
    said = beside_manager(
        """
        $wakeword service install > /dev/null
        first=$(pid)
        kill -KILL $first
        # The manager's socket is still there: this request waits for the new process.
        $wakeword status --json > $HOME/status || true
        [ "$(pid)" != "$first" ]
        grep --only-matching '"pid": [0-9]*' $HOME/status
        pid
        """
    )
    answered, running = said.splitlines()
    assert answered == f'"pid": {running}'


def test_reload_is_told_to_the_manager():
    said = beside_manager(
        """
        $wakeword service install > /dev/null
        first=$(pid)
        mkdir -p $XDG_CONFIG_HOME/wakeword
        echo 'words: {jarvis: {treshold: 1}}' > $XDG_CONFIG_HOME/wakeword/config.yaml
        systemctl --user reload wakeword
        $wakeword status > /dev/null || true
        systemctl --user is-active wakeword.service
        [ "$(pid)" = "$first" ] && echo same process
        """
    )
    assert said.splitlines() == ["active", "same process"]


def test_without_a_manager_install_says_so(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "wakeword_daemon", "service", "install"],
        env=os.environ | {"XDG_CONFIG_HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("wakeword: ")
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_commands_with_odd_paths_are_quoted(tmp_path, monkeypatch):
    from wakeword_daemon.service import units  # noqa: PLC0415

    with contextlib.chdir(tmp_path):
        monkeypatch.setattr(sys, "executable", str(tmp_path / "my $env 100%/python"))
        assert units._command().startswith(f'"{tmp_path}/my $$env 100%%/python" "-m"')
