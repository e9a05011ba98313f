"""An upgrade in place: another version, another model file, another config, and the way back."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support.daemon import AUDIO, Daemon, until
from support.eventserver import Peer

import wakeword_daemon
from wakeword_daemon.resources import shipped_models

pytestmark = pytest.mark.slow

PACKAGE = Path(wakeword_daemon.__file__).parent
NEXT = "99.0.0"


@pytest.fixture(scope="module")
def next_version(tmp_path_factory):
    """The environment in which `wakeword` is another version."""
    root = tmp_path_factory.mktemp("next")
    shutil.copytree(PACKAGE, root / PACKAGE.name)
    for name in ("models", "config.yaml", "systemd"):
        (root / name).symlink_to(PACKAGE.parent / name)
    init = root / PACKAGE.name / "__init__.py"
    init.write_text(re.sub(r'__version__ = ".*"', f'__version__ = "{NEXT}"', init.read_text()))
    return {"PYTHONPATH": str(root), "PYTHONSAFEPATH": "1"}


class Upgraded(Daemon):
    """A daemon that hears a pipe, and can be started again as another version."""

    def __init__(self, *arguments, **options):
        super().__init__("--input", "-", *arguments, stdin=subprocess.PIPE, **options)

    def say(self):
        """Say the word and wait until the daemon has heard it."""
        word, _ = soundfile.read(AUDIO / "jarvis-slt.flac", dtype="int16")
        pcm = np.concatenate((np.zeros(8_000), word, np.zeros(32_000)))
        before = self.status()["last_detection"]
        self.process.stdin.write(pcm.astype("<i2").tobytes())
        self.process.stdin.flush()
        until(lambda: self.status()["last_detection"] != before, "a detection")

    def upgrade(self, environment, number=signal.SIGTERM):
        """End it, and start it in another environment."""
        code = self.stop(number)
        assert code == (0 if number == signal.SIGTERM else -number)
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self._settings = environment
        self.start()
        assert self.notified("READY").startswith("listening")

    def version(self):
        with Peer(self.socket) as peer:
            (program,) = peer.ask("describe", answer="info")["wake"]
            return program["version"]


def missed_by(daemon, last):
    """Return the answer to a subscriber that comes back, and the numbers of what it missed."""
    with Peer(daemon.socket) as peer:
        wish = {"start_id": last["start_id"], "after_sequence": last["sequence"]}
        answer = peer.ask("subscribe", wish, answer="subscribed")
        events = [peer.read()["data"] for _ in range(answer["last"] - answer["sequence"])]
    return answer, events


def test_events_are_numbered_on_over_an_upgrade_and_back(next_version):
    with Upgraded() as daemon:
        daemon.notified("READY")
        own = daemon.version()
        daemon.say()
        first = daemon.status()
        daemon.say()  # while a subscriber is away
        for environment, version in ((next_version, NEXT), ({}, own)):
            daemon.upgrade(environment)
            assert daemon.version() == version
            daemon.say()
        answer, events = missed_by(daemon, first)
        status = daemon.status()
    assert answer["missed"] == 0
    assert [event["sequence"] for event in events] == list(range(3, status["sequence"] + 1))
    assert sum("score" in event for event in events) == 3
    runs = list(dict.fromkeys(event["start_id"] for event in events))
    assert runs == sorted(runs)
    assert runs[0] == first["start_id"]
    assert runs[-1] == status["start_id"]
    assert len(runs) == 3


def test_after_a_crash_the_numbers_begin_again(next_version):
    with Upgraded() as daemon:
        daemon.notified("READY")
        daemon.say()
        first = daemon.status()
        daemon.upgrade(next_version, signal.SIGKILL)
        answer, events = missed_by(daemon, first)
    assert answer["missed"] is None
    assert [event["sequence"] for event in events] == [1]


def test_what_another_program_left_there_is_no_history():
    with Upgraded() as daemon:
        daemon.notified("READY")
        daemon.stop()
        (kept,) = daemon.socket.parent.glob("*.history")
        assert kept.stat().st_mode & 0o777 == 0o600
        kept.write_bytes(os.urandom(1_000))
        daemon.start()
        assert daemon.notified("READY").startswith("listening")
        assert "the events of the last run are lost" in daemon.log
        assert daemon.status()["sequence"] == 1


def test_a_model_is_swapped_while_it_is_in_use(tmp_path):
    """By a program that writes into the file itself, and not beside it."""
    model, config = tmp_path / "jarvis.safetensors", tmp_path / "config.yaml"
    shipped = shipped_models()["jarvis"].read_bytes()
    model.write_bytes(shipped)
    config.write_text(f"words: {{jarvis: {{model: {model}}}}}")
    with Upgraded("--config", config) as daemon:
        daemon.notified("READY")
        daemon.say()
        model.write_bytes(shipped[:1_000])
        daemon.say()
        daemon.process.send_signal(signal.SIGHUP)
        until(lambda: "the changed config is refused" in daemon.log, "a refusal")
        daemon.say()
        model.write_bytes(shipped)
        daemon.process.send_signal(signal.SIGHUP)
        until(lambda: "reloaded the config" in daemon.log, "the model")
        daemon.say()
        assert daemon.status()["sequence"] == 5
        assert daemon.status()["gaps"] == 0
