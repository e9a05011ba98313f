"""`wakeword service` with a real service manager, and without one."""

import os
import sys

import pytest
from support.daemon import wakeword
from support.soundserver import PulseServer
from support.systemd import SERVICE, SOCKET, WAKEWORD, UserManager

from wakeword_daemon.service import units

pytestmark = [pytest.mark.sound, pytest.mark.systemd]


def test_install_starts_the_service_and_uninstall_leaves_nothing():
    with PulseServer() as room:
        room.hum()
        with UserManager(room) as manager:
            folder = manager.path(manager.units)
            for unit in (SERVICE, SOCKET):
                (folder / unit).unlink()

            said = manager.run(*WAKEWORD, "service", "install")
            assert said.splitlines() == [
                f"installed {manager.units}/{u}" for u in (SERVICE, SOCKET)
            ]
            assert manager.show("StatusText") == "listening for jarvis on default at 16000 Hz"
            assert manager.status()["state"] == "listening"
            assert manager.show("UnitFileState") == "enabled"
            assert "active (running)" in manager.run(*WAKEWORD, "service", "status")

            examined = manager.run(*WAKEWORD, "doctor")
            assert "ok       service       it runs, and starts with your session" in examined
            assert "ok       daemon        it listens for jarvis" in examined

            first = manager.show("MainPID")
            manager.run(*WAKEWORD, "service", "install")  # as after an update
            assert manager.show("MainPID") != first

            said = manager.run(*WAKEWORD, "service", "uninstall")
            assert said.splitlines() == [f"removed {manager.units}/{u}" for u in (SERVICE, SOCKET)]
            assert manager.show("ActiveState") == "inactive"
            left = [path for path in folder.rglob("wakeword*") if not path.is_dir()]
            assert left == []
            assert manager.run(*WAKEWORD, "service", "uninstall") == ""


def test_without_a_manager_install_says_so_and_writes_nothing(tmp_path):
    nowhere = {"XDG_CONFIG_HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    done = wakeword("service", "install", env=os.environ | nowhere)
    assert done.returncode == 1
    assert done.stderr.startswith("wakeword: ")
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_command_with_an_odd_path_is_quoted(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "my $env 100%/python"))
    assert units._command().startswith(f'"{tmp_path}/my $$env 100%%/python" "-m"')
