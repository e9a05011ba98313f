"""`wakeword listen` and `wakeword status` as a user sees them."""

import os
import subprocess

import pytest
from support.daemon import PATIENCE, WAKEWORD, Daemon, recording, until, wakeword
from support.eventserver import detection

from wakeword_daemon.events.protocol import StateChanged


def listen(path, *arguments, **options):
    return subprocess.Popen(
        [*WAKEWORD, "listen", "--socket", str(path), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_standard_error_shows_the_connection_and_each_state(server):
    process = listen(server.path, "--count", "1")
    until(lambda: server.subscriptions, "a subscription")
    gone = StateChanged(state="deaf", reason="There is no microphone.", wall_time=1.0)
    back = StateChanged(state="listening", reason="", wall_time=2.0)
    server.publish(gone, back, detection())
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert len(out.splitlines()) == 1
    assert err.splitlines() == [
        f"wakeword: connected to {server.path}, which is listening for jarvis, alexa",
        "wakeword: the daemon is deaf: There is no microphone.",
        "wakeword: the daemon is listening",
    ]


def test_it_waits_for_a_daemon_that_starts_later(tmp_path):
    recording(tmp_path / "in.wav", 2.0, "jarvis-slt", 57.0)
    with Daemon("--input", tmp_path / "in.wav") as daemon:
        daemon.notified("READY")
        path = daemon.socket
        daemon.stop()
        process = listen(path, "--count", "1")
        waiting = process.stderr.readline()
        assert waiting == (
            f"wakeword: no daemon is listening at {path}; start it with `wakeword run`;"
            " waiting for it\n"
        )
        with Daemon("--input", tmp_path / "in.wav", "--socket", path) as successor:
            successor.notified("READY")
            out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert "jarvis" in out
    assert err.startswith(f"wakeword: connected to {path}, which is ")


def test_a_timeout_without_detections_exits_with_1(tmp_path):
    done = wakeword("listen", "--socket", tmp_path / "s", "--timeout", "0.3")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("no daemon is listening") == 2  # that it waits, and that it gave up
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
@pytest.mark.parametrize("command", ["listen", "status"])
def test_another_users_daemon_is_refused_in_one_sentence(server, command):
    """The folder is closed to them, as a user's runtime folder is."""
    server.path.parents[1].chmod(0o700)
    arguments = [
        *("setpriv", "--reuid=4321", "--regid=4321", "--clear-groups"),
        *WAKEWORD,
        command,
    ]
    settings = {"XDG_RUNTIME_DIR": str(server.path.parents[1]), "HOME": "/nonexistent"}
    done = subprocess.run(
        arguments,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if "No module named" in done.stderr or "Permission denied" in done.stderr.splitlines()[0]:
        pytest.skip("another user cannot run this Python")
    assert done.returncode == 1
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith(f"wakeword: {server.path} belongs to another user")
