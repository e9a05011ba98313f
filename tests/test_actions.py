"""What the daemon itself does at a detection: programs and sounds, with real processes."""

import asyncio
import json
import logging
import os
import time
from pathlib import Path

import pytest
from support.daemon import Daemon, events, recording, until, wakeword
from support.eventserver import detection

from wakeword_daemon.actions import program
from wakeword_daemon.actions.command import Command


def run(*arguments, **options):
    asyncio.run(program.run(arguments, **{"time_limit": 20.0} | options))


def messages(caplog):
    return [record.getMessage() for record in caplog.records]


@pytest.fixture(autouse=True)
def _log(caplog):
    caplog.set_level(logging.INFO)


def test_the_output_of_a_program_goes_to_the_log(caplog):
    run("sh", "-c", "echo out; echo err >&2; printf 'no end'")
    assert messages(caplog) == ["sh: out", "sh: err", "sh: no end"]


def test_a_program_gets_its_input_and_its_variables(caplog):
    run("sh", "-c", 'read line; echo "$line $WAKEWORD_NAME"',
        text=b"hello\n", environment={"WAKEWORD_NAME": "jarvis"})  # fmt: skip
    assert messages(caplog) == ["sh: hello jarvis"]


def test_arguments_do_not_pass_through_a_shell(caplog):
    run("echo", "$HOME; *")
    assert messages(caplog) == ["echo: $HOME; *"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("false",), "false failed with exit code 1"),
        (("sh", "-c", "kill -SEGV $$"), "sh failed with SIGSEGV"),
        (("/nonexistent/program",), "cannot run /nonexistent/program: No such file or directory"),
        (("/etc/passwd",), "cannot run /etc/passwd: Permission denied"),
    ],
)
def test_how_a_program_failed_is_logged(caplog, arguments, complaint):
    run(*arguments)
    assert messages(caplog) == [complaint]


def test_a_program_that_hangs_is_ended_with_its_children(caplog, tmp_path):
    pids = tmp_path / "pids"
    script = f"trap '' TERM; sleep 1000 & echo $! $$ > {pids}; wait; sleep 1000"
    run("sh", "-c", script, time_limit=1.0)
    assert messages(caplog) == ["sh ran for more than 1 s and was ended"]
    for pid in pids.read_text().split():
        until(lambda pid=pid: not is_running(pid), "the end of a child")


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_too_much_output_is_cut_and_does_not_block(caplog):
    run("sh", "-c", "seq 100000; head -c 1000000 /dev/zero")
    assert messages(caplog)[:2] == ["sh: 1", "sh: 2"]
    assert len(messages(caplog)) == 51
    assert messages(caplog)[-1] == "sh writes more; it is left out here"


def test_processes_that_a_program_leaves_behind_are_not_awaited(caplog, tmp_path):
    """A program may start another one that keeps running and holds the output pipe open."""
    mark = tmp_path / "pid"
    run("sh", "-c", f"sleep 1000 & echo $! > {mark}; echo done", time_limit=60.0)
    assert messages(caplog) == ["sh: done"]
    os.kill(int(mark.read_text()), 9)  # it was left running


def test_programs_run_one_at_a_time_and_not_too_often(caplog, tmp_path):
    starts = tmp_path / "starts"

    async def act():
        command = Command(["sh", "-c", f"echo x >> {starts}; sleep 0.3"], 10.0, 0.6)
        command.heard(detection())
        await asyncio.sleep(0)
        command.heard(detection())  # it runs
        await command._task
        command._ready_at = asyncio.get_running_loop().time() + 60  # as if it was over at once
        command.heard(detection())
        command._ready_at = 0
        command.heard(detection())
        await command._task
        await command.stop()

    asyncio.run(act())
    assert starts.read_text() == "x\nx\n"
    assert "sh still runs, so it is not started again" in messages(caplog)
    assert "sh was started a moment ago, so it is not started" in messages(caplog)


def configured(folder, text):
    path = folder / "config.yaml"
    path.write_text(text)
    return path


@pytest.mark.slow
def test_the_daemon_runs_a_program_at_each_detection(tmp_path):
    recording(tmp_path / "in.wav", 2.0, "jarvis-slt", 3.0, "jarvis-rms", 30.0)
    config = configured(
        tmp_path,
        f"on_detection:\n  command: [sh, -c, 'cat > {tmp_path}/$WAKEWORD_SEQUENCE; echo acted']\n",
    )
    with Daemon("--config", config, "--input", tmp_path / "in.wav") as daemon:
        daemon.notified("READY")
        heard = events(daemon.listen("--count", 2))
        until(lambda: daemon.log.count("sh: acted") == 2, "two runs")
        assert daemon.status()["state"] == "listening"
        code = daemon.stop()
    assert code == 0
    given = [json.loads((tmp_path / str(event["sequence"])).read_text()) for event in heard]
    assert given == heard


@pytest.mark.slow
def test_a_hanging_program_does_not_disturb_listening_and_ends_with_the_daemon(tmp_path):
    recording(tmp_path / "in.wav", 2.0, "jarvis-slt", 3.0, "jarvis-rms", 60.0)
    pid = tmp_path / "pid"
    config = configured(
        tmp_path,
        "on_detection:\n  time_limit: 600\n"
        f"  command: [sh, -c, 'echo $$ > {pid}; exec sleep 1000']\n",
    )
    with Daemon("--config", config, "--input", tmp_path / "in.wav") as daemon:
        daemon.notified("READY")
        assert len(events(daemon.listen("--count", 2))) == 2
        until(lambda: "still runs" in daemon.log, "the second detection")
        status = daemon.status()
        code = daemon.stop()
    assert (status["state"], status["gaps"], status["lost"]) == ("listening", 0, 0)
    assert code == 0
    until(lambda: not is_running(pid.read_text().strip()), "the end of the program")


@pytest.mark.slow
def test_actions_change_with_a_reload(tmp_path):
    recording(tmp_path / "in.wav", 4.0, "jarvis-slt", 60.0)
    config = configured(tmp_path, "{}")
    with Daemon("--config", config, "--input", tmp_path / "in.wav") as daemon:
        daemon.notified("READY")
        configured(tmp_path, "on_detection:\n  command: [echo, reloaded]\n")
        daemon.process.send_signal(1)
        daemon.notified("READY")
        until(lambda: "echo: reloaded" in daemon.log, "an action")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("command: echo", ":2: on_detection.command must be a list of a program and its"),
        ("command: []", ":2: on_detection.command must be a list of a program and its"),
        ("command: [sleep, 3]", ":2: on_detection.command must be a list of a program"),
        ("time_limit: 0", ":2: on_detection.time_limit must be seconds from 0.1 to 3600"),
        ("sound: nowhere.wav", ": on_detection.sound: there is no file "),
    ],
)
def test_wrong_settings_are_refused_with_a_reason(tmp_path, text, complaint):
    config = configured(tmp_path, f"on_detection:\n  {text}\n")
    done = wakeword("run", "--check", "--config", config)
    assert done.returncode == 2
    assert f"config.yaml{complaint}" in done.stderr


@pytest.mark.slow
def test_a_daemon_without_actions_does_not_load_them(tmp_path):
    recording(tmp_path / "in.wav", 20.0)
    with Daemon("--input", tmp_path / "in.wav", settings={"PYTHONVERBOSE": "1"}) as daemon:
        daemon.notified("READY")
        time.sleep(0.1)
        assert "import 'wakeword_daemon.service.daemon'" in daemon.log
        assert "wakeword_daemon.actions" not in daemon.log
