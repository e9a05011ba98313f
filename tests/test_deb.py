"""The Debian package, installed on a small machine of its own, used there and purged again."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support.daemon import recording
from support.soundserver import PulseServer
from support.systemd import PATIENCE, SERVICE, SystemManager

pytestmark = [pytest.mark.sound, pytest.mark.systemd, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[1]
ROOMS = "wakeword-rooms.service"
NAME = "wakeword-daemon"
# The machine's own Python runs the package; what the other tests' managers point to is taken away.
POINTERS = ("PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH")
OWN = ("env", *(f"--unset={name}" for name in POINTERS))


@pytest.fixture(scope="module")
def package():
    for program in ("make", "dpkg-buildpackage", "dh"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    if os.geteuid() != 0:
        pytest.skip("installing it needs root")
    built = subprocess.run(
        ["make", "deb"], cwd=ROOT, capture_output=True, text=True, check=False,
        env={name: value for name, value in os.environ.items() if name not in POINTERS},
    )  # fmt: skip
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
    (path,) = (ROOT / "dist").glob("*.deb")
    return path


class Machine(SystemManager):
    """A machine with systemd and none of this project's units."""

    def _install(self):
        self.systemctl("unset-environment", *POINTERS)
        # What a container has, so that packages start and stop nothing in it.
        self.path("/usr/sbin/policy-rc.d").unlink(missing_ok=True)

    def install(self, package):
        shutil.copy(package, self.path("/srv"))
        self.dpkg("--install", f"/srv/{package.name}")
        self.systemctl("daemon-reload")

    def dpkg(self, *arguments):
        return self.run(*OWN, "DEBIAN_FRONTEND=noninteractive", "dpkg", *arguments)

    def has_user(self):
        return "\nwakeword:" in self.path("/etc/passwd").read_text()


@pytest.fixture(scope="module")
def room():
    with PulseServer() as server:
        server.hum()
        yield server


@pytest.fixture
def machine(room, package):
    with Machine(room) as machine:
        machine.install(package)
        yield machine


def test_the_package_has_no_paths_of_the_build_machine(package):
    listed = subprocess.run(["dpkg-deb", "--contents", package], capture_output=True, check=True)
    assert b"__pycache__" not in listed.stdout
    packed = subprocess.run(
        ["dpkg-deb", "--fsys-tarfile", package], capture_output=True, check=True
    )
    scripts = ("./usr/lib/wakeword-daemon/bin/wakeword", "./usr/lib/wakeword-daemon/pyvenv.cfg")
    text = subprocess.run(
        ["tar", "--extract", "--to-stdout", *scripts],
        input=packed.stdout, capture_output=True, check=True,
    ).stdout.decode()  # fmt: skip
    assert text.startswith("#!/usr/lib/wakeword-daemon/bin/python")
    assert str(ROOT) not in text


def test_installation_enables_no_service(machine):
    assert machine.run(*OWN, "wakeword", "--version").startswith("wakeword ")
    assert "step in C" in machine.run(*OWN, "wakeword", "--version")
    assert machine.has_user()
    for unit in (SERVICE, "wakeword.socket", ROOMS):
        assert machine.systemctl("is-enabled", unit, check=False) == "disabled"
        assert machine.systemctl("is-active", unit, check=False) == "inactive"


def test_the_installed_service_detects_a_word_from_the_microphone(machine, room, tmp_path):
    recording(tmp_path / "word.wav", 0.3, "jarvis-slt", 0.7)
    machine.systemctl("start", SERVICE)
    assert machine.show("StatusText") == "listening for jarvis on default at 16000 Hz"
    (pid,) = {machine.show("MainPID")}
    status = machine.path(f"/proc/{pid}/status").read_text()
    uid = next(line.split()[1] for line in status.splitlines() if line.startswith("Uid:"))
    assert machine.run("id", "--user", "wakeword") == uid
    listener = machine.start(*OWN, "wakeword", "listen", "--json", "--count=1")
    machine.until(lambda: len(machine.status()["subscribers"]) > 1, "a subscription")
    room.play(tmp_path / "word.wav")
    out, complaint = listener.communicate(timeout=PATIENCE)
    assert json.loads(out)["name"] == "jarvis", complaint


def test_an_upgrade_restarts_the_running_service(machine, package):
    machine.systemctl("start", SERVICE)
    before = machine.show("MainPID")
    machine.install(package)
    machine.until(lambda: machine.show("MainPID") not in {before, "0"}, "a restart")
    machine.until(lambda: machine.show("ActiveState") == "active", "the end of the restart")


def test_the_installed_wake_service_answers(machine):
    machine.write("/etc/wakeword/config.yaml", "rooms: {uri: 'tcp://127.0.0.1:10400'}\n")
    machine.run("ip", "link", "set", "lo", "up")
    machine.systemctl("start", ROOMS)
    status = machine.systemctl("show", "--value", "--property=StatusText", ROOMS)
    assert status == "serving jarvis on tcp://127.0.0.1:10400"
    ping = """exec 3<>/dev/tcp/127.0.0.1/10400; echo '{"type":"ping"}' >&3; head --lines=1 <&3"""
    assert json.loads(machine.run("bash", "-c", ping))["type"] == "pong"
    machine.systemctl("stop", ROOMS)


def test_purging_leaves_nothing(machine):
    machine.write("/etc/wakeword/config.yaml", "words: {alexa: }\n")
    machine.systemctl("start", SERVICE)
    files = [Path(line) for line in machine.dpkg("--listfiles", NAME).splitlines()]
    own = [path for path in files if "wakeword" in path.name]
    assert len(own) > 10
    machine.dpkg("--purge", NAME)
    machine.systemctl("daemon-reload")
    assert machine.systemctl("is-active", SERVICE, check=False) == "inactive"
    assert not [path for path in own if machine.path(str(path)).exists()]
    assert not machine.path("/etc/wakeword").exists()
    assert not machine.has_user()
