"""The user's folders follow the environment, and fall back to the usual places."""

import os
from pathlib import Path

import pytest

from wakeword_daemon import xdg


@pytest.mark.parametrize(
    ("variable", "folder", "usual"),
    [
        ("XDG_CONFIG_HOME", xdg.config_home, ".config"),
        ("XDG_CACHE_HOME", xdg.cache_home, ".cache"),
    ],
)
def test_a_variable_sets_the_folder_and_invalid_values_are_ignored(
    monkeypatch, tmp_path, variable, folder, usual
):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(variable, str(tmp_path / "own"))
    assert folder() == tmp_path / "own"
    for nonsense in ("", "relative/path"):
        monkeypatch.setenv(variable, nonsense)
        assert folder() == tmp_path / usual
    monkeypatch.delenv(variable)
    assert folder() == tmp_path / usual


def test_the_runtime_folder_falls_back_to_the_usual_one_or_none(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert xdg.runtime_folder() == tmp_path
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)  # a user without a session
    assert xdg.runtime_folder() is None
    monkeypatch.setattr(Path, "is_dir", lambda path: str(path) == "/run/user/4000000")
    assert xdg.runtime_folder() == Path("/run/user/4000000")
