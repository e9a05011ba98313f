import os
import shutil
import subprocess
import sys

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
    copy = tmp_path / unit
    copy.write_text(text.replace("%h/.local/bin/wakeword", sys.executable))
    return copy


@needs_systemd
def test_user_unit_is_valid(tmp_path):
    unit = placed("wakeword.service", tmp_path)
    checked = analyze(tmp_path, "verify", "--user", "--recursive-errors=no", str(unit))
    assert checked.returncode == 0, checked.stderr
    assert str(unit) not in checked.stderr


@needs_systemd
def test_the_check_would_see_a_mistake(tmp_path):
    unit = placed("wakeword.service", tmp_path)
    unit.write_text(unit.read_text().replace("Restart=on-failure", "Restrat=on-failure"))
    checked = analyze(tmp_path, "verify", "--user", "--recursive-errors=no", str(unit))
    assert "Restrat" in checked.stderr
