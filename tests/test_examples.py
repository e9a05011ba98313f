"""Every example does what its docstring says."""

import ast
import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import soundfile
from support.daemon import AUDIO, PATIENCE, Daemon, recording, until

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def start(name, *arguments, **options):
    environment = os.environ | options.pop("env", {})
    return subprocess.Popen(
        [sys.executable, EXAMPLES / name, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        **options,
    )


@pytest.fixture
def daemon(tmp_path):
    """A daemon that hears the word again and again."""
    recording(tmp_path / "words.wav", *[2.0, "jarvis-slt"] * 10)
    with Daemon("--input", tmp_path / "words.wav") as running:
        running.notified("READY")
        yield running


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_every_example_says_how_to_run_it_and_has_a_test(path):
    assert f"python examples/{path.name}" in ast.get_docstring(ast.parse(path.read_text()))
    assert f'"{path.name}"' in Path(__file__).read_text()


def test_the_embedded_detector_finds_words_in_its_input():
    pcm, _ = soundfile.read(AUDIO / "jarvis-slt.flac", dtype="int16")
    process = start("embed_detector.py", stdin=subprocess.PIPE)
    out, err = process.communicate(pcm.tobytes() + bytes(1), timeout=PATIENCE)
    assert (process.returncode, err) == (0, b"")
    second, unit, word, score = out.decode().split()
    assert (unit, word) == ("s", "jarvis")
    assert 0 < float(second) <= len(pcm) / 16_000
    assert 0.5 <= float(score) <= 1


def test_an_unknown_word_is_refused_in_a_sentence():
    process = start("embed_detector.py", "jarvi", stdin=subprocess.DEVNULL)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert b"jarvi" in err
    assert b"Traceback" not in err


@pytest.mark.slow
def test_the_subscriber_prints_detections(daemon):
    process = start("subscribe.py", daemon.socket)
    try:
        assert process.stdout.readline().startswith(b"jarvis with a score of ")
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_a_command_is_run_for_every_detection(daemon, tmp_path):
    found = tmp_path / "found"
    command = f'echo "$WAKEWORD" >> {found}'
    process = start(
        "run_command.py", "sh", "-c", command, env={"WAKEWORD_SOCKET": str(daemon.socket)}
    )
    try:
        until(lambda: found.exists() and found.read_text().splitlines()[:2] == ["jarvis"] * 2)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_every_detection_starts_linux_voice_assistant(daemon):
    """A small server that speaks its protocol: a snapshot on connecting, then commands."""
    server = pytest.importorskip("websockets.sync.server", reason="websockets is not installed")
    commands = queue.Queue()

    def assistant(connection):
        connection.send(json.dumps({"event": "snapshot", "data": {"muted": False}}))
        for message in connection:
            commands.put(json.loads(message))

    with server.serve(assistant, "127.0.0.1", 0) as listening:
        threading.Thread(target=listening.serve_forever).start()
        port = listening.socket.getsockname()[1]
        settings = {"WAKEWORD_SOCKET": str(daemon.socket)}
        process = start("linux_voice_assistant.py", f"ws://127.0.0.1:{port}", env=settings)
        try:
            for _ in range(2):
                assert commands.get(timeout=PATIENCE) == {"command": "start_listening"}
                assert process.stdout.readline() == b"jarvis: the assistant listens\n"
            listening.shutdown()
            assert b"cannot be reached" in process.stderr.readline()
        finally:
            process.kill()
            process.communicate()
