"""An upgrade from versions that were in use: what they wrote, and the daemons themselves."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from test_upgrade import Upgraded, missed_by

from wakeword_daemon import config
from wakeword_daemon.engine import read_model

ROOT = Path(__file__).resolve().parents[1]
OLDER = "Number events on over a restart, so that an upgrade costs a subscriber nothing"


def git(*arguments):
    """Return what git prints; skip the test where there is no git, or not this history."""
    try:
        done = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("git is not installed")
    if done.returncode:
        pytest.skip(f"this is no checkout of the project: {done.stderr.decode().strip()}")
    return done.stdout


def versions(path):
    """Return every version of a file, the newest first."""
    top, _, prefix = git("rev-parse", "--show-toplevel", "--show-prefix").decode().partition("\n")
    if Path(top) != ROOT or prefix.strip():
        pytest.skip("this is no checkout of the project")
    commits = git("log", "--diff-filter=AM", "--format=%H", "--", path).decode().split()
    if len(commits) < 2:
        pytest.skip(f"the history has no older {path}")
    return [git("show", f"{commit}:{path}") for commit in commits]


@pytest.mark.parametrize("word", ["alexa", "jarvis"])
def test_every_model_file_that_ever_shipped_is_read(tmp_path, word):
    for content in versions(f"models/{word}.safetensors"):
        (path := tmp_path / f"{word}.safetensors").write_bytes(content)
        read_model(path).self_test()


def test_every_config_that_ever_shipped_is_read(tmp_path):
    for content in versions("config.yaml"):
        (path := tmp_path / "config.yaml").write_bytes(content)
        assert "jarvis" in config.load(path).words


@pytest.fixture(scope="module")
def older(tmp_path_factory):
    """The checkout of an older version, and where its wheel is installed."""
    commit = git("log", "-1", "--format=%H", "--fixed-strings", f"--grep={OLDER}").decode().strip()
    if not commit:
        pytest.skip("the history does not reach back to the older version")
    root = tmp_path_factory.mktemp("older")
    subprocess.run(["tar", "-x", "-C", root], input=git("archive", commit), check=True)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", root, root]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = root.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(root / "site")
    return root


@pytest.mark.slow
def test_an_older_daemon_its_config_and_its_model_are_upgraded_and_downgraded(older):
    """All of it with the older version's own config and model file."""
    site = {"PYTHONPATH": str(older / "site"), "PYTHONSAFEPATH": "1"}
    where = [sys.executable, "-c", "import wakeword_daemon; print(wakeword_daemon.__file__)"]
    file = subprocess.run(where, env=os.environ | site, capture_output=True, text=True, check=True)
    assert file.stdout.startswith(str(older))
    text = (older / "config.yaml").read_text()
    model = older / "models" / "jarvis.safetensors"
    assert "    model: null\n" in text
    used = older / "used.yaml"
    used.write_text(text.replace("    model: null\n", f"    model: {model}\n", 1))
    with Upgraded("--config", used, settings=site) as daemon:
        daemon.notified("READY")
        daemon.say()
        first = daemon.status()
        daemon.say()  # while a subscriber is away
        for environment in ({}, site):
            daemon.upgrade(environment)
            daemon.say()
        answer, events = missed_by(daemon, first)
        last = daemon.status()["sequence"]
    assert answer["missed"] == 0
    assert [event["sequence"] for event in events] == list(range(3, last + 1))
    heard = [event for event in events if "score" in event]
    assert len(heard) == 3
    assert len({event["model"] for event in heard}) == 1
