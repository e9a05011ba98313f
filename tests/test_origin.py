"""A model names the commit of the code and the recordings that made it."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from support.models import random_model

from wakeword_daemon import __version__, resources
from wakeword_daemon.engine.modelfile import Origin, read_model, save_model
from wakeword_daemon.training import origin as module
from wakeword_daemon.training.data.corpus import Corpus, Recording
from wakeword_daemon.training.origin import origin


def corpus(*names):
    made = (
        Recording(
            path=Path("/data") / name, word="w", speaker="s", split="train", source="x", noise=False
        )
        for name in names
    )
    return Corpus(Path("/data"), tuple(made))


def git(folder, *arguments):
    own = ("-c", "user.name=n", "-c", "user.email=e@example.org")
    done = subprocess.run(
        ["git", "-C", folder, *own, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def made_by(*names):
    return origin(corpus(*names), "wakeword train w")


def test_the_code_is_a_commit_that_says_whether_it_was_changed(tmp_path, monkeypatch):
    (changed := tmp_path / "wakeword_daemon" / "a.py").parent.mkdir()
    changed.write_text("1")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "one")
    monkeypatch.setattr(module, "_ROOT", tmp_path)
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert made_by("a").code == commit
    changed.write_text("2")
    assert made_by("a").code == f"{commit}+"
    # Installed below another project's checkout, this is not the commit.
    monkeypatch.setattr(module, "_ROOT", changed.parent)
    assert made_by("a").code == f"version {__version__}"


def test_without_git_the_code_is_a_version(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert made_by("a").code == f"version {__version__}"


def test_the_data_is_told_by_the_list_of_recordings():
    first, other, same = (made_by(*names).data for names in ("ab", "ac", "ba"))
    assert first == same != other


def test_a_model_file_keeps_what_made_it(tmp_path):
    made = Origin("0123abcd+", "4567", "wakeword train w")
    model = random_model()
    path = tmp_path / "m.safetensors"
    save_model(path, replace(model, card=replace(model.card, origin=made)))
    assert read_model(path).card.origin == made
    save_model(path, model)
    assert read_model(path).card.origin is None


@pytest.mark.parametrize("path", resources.shipped_models().values(), ids=lambda path: path.stem)
def test_models_from_before_this_was_kept_are_read(path):
    read_model(path).self_test()
