import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wakeword_daemon import resources

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def analyze(tmp_path, *arguments):
    """Run systemd-analyze with a runtime directory of its own; it talks to no manager."""
    return subprocess.run(
        ["systemd-analyze", "--man=no", *arguments],
        env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )


def placed(unit, tmp_path):
    """Copy a unit, with a command that is there, to where systemd-analyze can read it."""
    text = (resources.units() / unit).read_text()
    copy = tmp_path / Path(unit).name
    for command in ("%h/.local/bin/wakeword", "/usr/local/bin/wakeword"):
        text = text.replace(command, sys.executable)
    copy.write_text(text)
    return copy


@needs_systemd
def test_user_unit_is_valid(tmp_path):
    unit = placed("wakeword.service", tmp_path)
    checked = analyze(tmp_path, "verify", "--user", "--recursive-errors=no", str(unit))
    assert checked.returncode == 0, checked.stderr
    assert str(unit) not in checked.stderr


@needs_systemd
def test_the_check_detects_a_mistake(tmp_path):
    unit = placed("wakeword.service", tmp_path)
    unit.write_text(unit.read_text().replace("Restart=on-failure", "Restrat=on-failure"))
    checked = analyze(tmp_path, "verify", "--user", "--recursive-errors=no", str(unit))
    assert "Restrat" in checked.stderr


@needs_systemd
@pytest.mark.parametrize("unit", ["wakeword.socket", "system/wakeword.socket"])
def test_socket_units_are_valid(tmp_path, unit):
    placed(Path(unit).with_suffix(".service"), tmp_path)
    socket = placed(unit, tmp_path)
    who = [] if unit.startswith("system/") else ["--user"]
    checked = analyze(tmp_path, "verify", *who, "--recursive-errors=no", str(socket))
    assert checked.returncode == 0, checked.stderr
    assert str(tmp_path) not in checked.stderr


@needs_systemd
def test_system_unit_is_valid_and_tightly_sandboxed(tmp_path):
    placed("system/wakeword.socket", tmp_path)
    unit = str(placed("system/wakeword.service", tmp_path))
    checked = analyze(tmp_path, "verify", "--recursive-errors=no", unit)
    assert checked.returncode == 0, checked.stderr
    assert unit not in checked.stderr
    scored = analyze(tmp_path, "security", "--offline=true", "--threshold=15", unit)
    assert scored.returncode == 0, scored.stdout


@needs_systemd
def test_the_unit_of_the_wake_service_is_valid_and_tightly_sandboxed(tmp_path):
    unit = str(placed("system/wakeword-rooms.service", tmp_path))
    checked = analyze(tmp_path, "verify", "--recursive-errors=no", unit)
    assert checked.returncode == 0, checked.stderr
    assert unit not in checked.stderr
    scored = analyze(tmp_path, "security", "--offline=true", "--threshold=15", unit)
    assert scored.returncode == 0, scored.stdout
