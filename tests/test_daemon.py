"""The real daemon as a process, with files and pipes as input: its events, its status and its
end."""

import os
import signal
import socket
import subprocess

import numpy as np
import pytest
import soundfile
from support.daemon import AUDIO, PATIENCE, WAKEWORD, Daemon, events, recording, until, wakeword
from support.eventserver import Peer
from support.models import random_model

from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.engine import OperatingPoint
from wakeword_daemon.engine.modelfile import save_model
from wakeword_daemon.resources import shipped_models
from wakeword_daemon.service import daemon as daemon_module

pytestmark = pytest.mark.slow

SPOKEN = ("jarvis-slt", "jarvis-rms", "other-slt")


@pytest.fixture
def minute(tmp_path):
    """A recording that outlasts any test here: silent but for a word after 2 s."""
    path = tmp_path / "minute.wav"
    recording(path, 2.0, "jarvis-slt", 57.0)
    return path


@pytest.mark.parametrize("word", [name for name in SPOKEN if name.startswith("jarvis")])
def test_a_word_in_a_file_gives_one_event(tmp_path, word):
    (end,) = recording(tmp_path / "in.wav", 2.0, word, 2.0)
    with Daemon("--input", tmp_path / "in.wav") as daemon:
        assert daemon.notified("READY").startswith("listening for jarvis on ")
        listener = daemon.listen("--count", 1, "--timeout", PATIENCE)
        assert daemon.process.wait(PATIENCE) == 0
        log = daemon.log
        (event,) = events(listener)
    assert event["name"] == "jarvis"
    assert abs(event["timestamp"] - end * 1000 / SAMPLE_RATE) < 300
    assert event["sample"] * 1000 // SAMPLE_RATE == event["timestamp"]
    assert 0.5 < event["score"] <= 1
    assert -60 < event["level"] < 0
    assert event["model"].startswith("jarvis-")
    assert log.count("heard jarvis") == 1


def test_words_are_taken_by_name_and_by_path(minute):
    given = ("--word", "view glass", "--word", shipped_models()["jarvis"])
    with Daemon("--input", minute, *given) as daemon:
        assert daemon.notified("READY").startswith("listening for view_glass, jarvis on ")
        assert daemon.status()["words"] == ["view_glass", "jarvis"]


def test_words_on_standard_input_give_events_in_order(tmp_path):
    ends = recording(
        tmp_path / "in.wav", 1.0, "jarvis-slt", 1.0, "other-slt", 1.0, "jarvis-rms", 1.0
    )
    del ends[1]
    pcm, _ = soundfile.read(tmp_path / "in.wav", dtype="int16")
    with Daemon("--input", "-", stdin=subprocess.PIPE) as daemon:
        daemon.notified("READY")
        listener = daemon.listen("--count", 2, "--timeout", PATIENCE)
        daemon.process.stdin.write(pcm.astype("<i2").tobytes() + b"\0")
        daemon.process.stdin.close()
        assert daemon.process.wait(PATIENCE) == 0
        heard = events(listener)
        log = daemon.log
    assert [event["name"] for event in heard] == ["jarvis", "jarvis"]
    for event, end in zip(heard, ends, strict=True):
        assert abs(event["sample"] - end) < 0.5 * SAMPLE_RATE
    assert heard[0]["sequence"] < heard[1]["sequence"]
    assert "last byte is ignored" in log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_daemon(minute, number):
    with Daemon("--input", minute) as daemon:
        daemon.notified("READY")
        listener = daemon.listen("--timeout", 1)
        code = daemon.stop(number)
        daemon.notified("STOPPING")
        assert code == 0
        assert not daemon.socket.exists()
        assert "Traceback" not in daemon.log
        listener.wait(PATIENCE)


def test_the_grace_periods_add_up_to_less_than_a_second():
    graces = (daemon_module._SOURCE_GRACE, daemon_module._CLIP_GRACE, daemon_module._QUEUE_GRACE)
    assert sum(graces) < 1


def test_a_second_daemon_is_refused_and_told_which_process_listens(minute):
    with Daemon("--input", minute) as daemon:
        daemon.notified("READY")
        second = subprocess.run(
            [*WAKEWORD, "run", "--input", minute, "--socket", daemon.socket],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert second.returncode == 1
        assert f"process {daemon.process.pid} " in second.stderr
        assert "Traceback" not in second.stderr
        assert daemon.status()["state"] == "listening"


def test_a_dead_daemons_socket_is_replaced(minute):
    with Daemon("--input", minute) as daemon:
        daemon.notified("READY")
        daemon.stop(signal.SIGKILL)
        assert daemon.socket.exists()
        with Daemon("--input", minute, "--socket", daemon.socket) as successor:
            successor.notified("READY")
            assert successor.stop() == 0


def test_the_watchdog_is_notified_only_while_hops_are_processed():
    read, write = os.pipe()
    with (
        os.fdopen(read) as silent,
        os.fdopen(write, "wb") as pipe,
        Daemon("--input", "-", stdin=silent, settings={"WATCHDOG_USEC": "300000"}) as daemon,
    ):
        daemon.notified("READY")
        pipe.write(np.zeros(SAMPLE_RATE, "<i2").tobytes())
        pipe.flush()
        assert daemon.notified("WATCHDOG") == "1"
        # No more audio comes, so after this second there must be no notification.
        until(lambda: daemon.status()["hops"] == 12, "the end of the audio")
        daemon.drain()
        with pytest.raises(AssertionError, match="no WATCHDOG came"):
            daemon.notified("WATCHDOG", patience=1)


def test_status_reports_what_happened(minute):
    with Daemon("--input", minute) as daemon:
        daemon.notified("READY")
        before = daemon.status()
        assert before["state"] == "listening"
        assert before["words"] == ["jarvis"]
        assert before["pid"] == daemon.process.pid
        after = until(lambda: (s := daemon.status())["last_detection"] and s, "a detection")
        last = after["last_detection"]
        assert last["name"] == "jarvis"
        assert (last["sequence"], last["start_id"]) == (after["sequence"], after["start_id"])
        assert after["hops"] > before["hops"]
        assert after["start_id"] == before["start_id"]
        assert after["lost"] == after["gaps"] == 0
        assert 10e6 < after["rss"] < 200e6
        shown = wakeword("status", "--socket", daemon.socket)
        assert shown.returncode == 0
        rows = {line[:15].strip(): line[16:] for line in shown.stdout.splitlines()}
    assert rows["state"] == "listening"
    assert rows["device"] == f"{minute} at 16000 Hz"
    assert rows["last heard"].startswith("jarvis at 20")
    assert rows["missing audio"] == "0 gaps, 0 samples"
    assert rows["device trouble"].startswith("0 overruns")
    assert rows["up for"].startswith("0:00:")
    assert {"hops", "events", "subscribers", "memory", "CPU"} < rows.keys()


def reload(daemon):
    daemon.process.send_signal(signal.SIGHUP)
    assert int(daemon.notified("MONOTONIC_USEC")) > 0
    return daemon.notified("READY")


def threshold(daemon):
    """Return the threshold in force, as subscribers see it."""
    with Peer(daemon.socket) as peer:
        peer.send("describe")
        (program,) = peer.expect("info")["wake"]
    (model,) = program["models"]
    return model["threshold"]


def test_reload_applies_a_sensitivity(tmp_path, minute):
    points = [OperatingPoint(0.25, 0.9, 0.1, 0.2), OperatingPoint(1.0, 0.6, 0.0, 0.9)]
    save_model(tmp_path / "hey.safetensors", random_model("hey", points=points, threshold=0.8))
    config = tmp_path / "config.yaml"
    word = "words: {hey: {model: hey.safetensors, sensitivity: %s false accepts/hour}}"
    config.write_text(word % 0.5)
    with Daemon("--config", config, "--input", minute) as daemon:
        daemon.notified("READY")
        assert threshold(daemon) == 0.9
        config.write_text(word % 1)
        reload(daemon)
        assert threshold(daemon) == 0.6
        config.write_text(word % 0.1)
        reload(daemon)
        assert "not measured at a sensitivity of 0.1" in daemon.log
        assert threshold(daemon) == 0.6


def test_reload_applies_words_and_thresholds_and_keeps_subscribers(tmp_path, minute):
    config = tmp_path / "config.yaml"
    config.write_text("words: {jarvis: {threshold: 0.9999999}}\nlog: {level: debug}")
    with Daemon("--config", config, "--input", minute) as daemon:
        daemon.notified("READY")
        listener = daemon.listen("--word", "jarvis", "--count", 1, "--timeout", PATIENCE)
        save_model(tmp_path / "hey.safetensors", random_model("hey", threshold=0.99))
        config.write_text("words: {jarvis: {}, hey: {model: hey.safetensors, threshold: 0.99}}")
        assert "jarvis, hey" in reload(daemon)
        assert daemon.status()["words"] == ["jarvis", "hey"]
        (event,) = events(listener)  # by the new threshold, to the old subscriber
        assert event["name"] == "jarvis"
        assert daemon.log.count("heard jarvis") == 1
        assert daemon.status()["gaps"] == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("words: {jarvis: {treshold: 0.5}}", "config.yaml:1: unknown key words.jarvis.treshold"),
        ("words: {nobody: {}}", "no word named 'nobody'"),
        ("words: {hey: {model: broken.safetensors}}", "broken.safetensors is truncated"),
    ],
)
def test_a_wrong_config_is_refused_and_the_old_one_stays(tmp_path, minute, text, told):
    config = tmp_path / "config.yaml"
    config.write_text("")
    (tmp_path / "broken.safetensors").write_bytes(b"\0" * 100)
    with Daemon("--config", config, "--input", minute) as daemon:
        daemon.notified("READY")
        listener = daemon.listen("--count", 1, "--timeout", PATIENCE)
        config.write_text(text)
        status = reload(daemon)
        assert status.startswith("listening for jarvis")
        assert told in status
        assert told in daemon.log
        assert "Traceback" not in daemon.log
        (event,) = events(listener)
        assert event["name"] == "jarvis"


def test_a_config_can_be_checked_before_it_is_used(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("words: {jarvis: {treshold: 0.5}}")
    done = wakeword("run", "--check", "--config", config)
    assert done.returncode == 2
    assert "config.yaml:1: unknown key words.jarvis.treshold" in done.stderr
    config.write_text("words: {jarvis: {threshold: 0.5}, alexa: {}}")
    done = wakeword("run", "--check", "--config", config)
    assert done.returncode == 0
    assert done.stdout == "the config is good; wake words: jarvis, alexa\n"


def test_socket_activation(tmp_path, minute):
    """A client that connects before the daemon runs is served once it does."""
    path = tmp_path / "a.sock"
    if len(str(path)) > 100:
        pytest.skip("the temporary folder's path is too long for a socket")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        with socket.socket(socket.AF_UNIX) as early:
            early.connect(str(path))
            early.settimeout(PATIENCE)
            early.sendall(b'{"type": "describe"}\n')
            # Only the process itself can name its own pid, so a shell does it and becomes it.
            command = 'exec 3<&"$0"; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"'
            process = subprocess.Popen(
                [
                    "bash",
                    "-c",
                    command,
                    str(listening.fileno()),
                    *WAKEWORD,
                    "run",
                    "--input",
                    minute,
                ],
                pass_fds=[listening.fileno()],
                stderr=subprocess.PIPE,
            )
            try:
                assert b'"type":"info"' in early.recv(4096)
            finally:
                process.terminate()
                process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert path.exists()  # the manager's, not the daemon's to remove


def test_journal_lines_have_a_priority_and_no_date(tmp_path, minute):
    with (tmp_path / "journal").open("wb") as journal:
        there = os.fstat(journal.fileno())
        process = subprocess.Popen(
            [*WAKEWORD, "run", "--input", minute, "--socket", tmp_path / "s"],
            env=os.environ | {"JOURNAL_STREAM": f"{there.st_dev}:{there.st_ino}"},
            stderr=journal,
        )
        try:
            until(lambda: b"listening for" in (tmp_path / "journal").read_bytes(), "a log line")
        finally:
            process.terminate()
            process.wait(PATIENCE)
    lines = (tmp_path / "journal").read_text().splitlines()
    assert lines[-1].startswith("<6>listening for jarvis on ")
    assert all(line.startswith("<") for line in lines)


def test_the_demo_says_the_word():
    with Daemon("--demo") as daemon:
        daemon.notified("READY")
        (event,) = events(daemon.listen("--count", 1, "--timeout", PATIENCE))
    assert event["name"] == "jarvis"


def test_the_test_speech_is_small_and_complete():
    sizes = {path.name: path.stat().st_size for path in AUDIO.iterdir()}
    assert sizes.keys() == {"make.sh", *(f"{name}.flac" for name in SPOKEN)}
    assert all(0 < size < 50_000 for size in sizes.values()), sizes
