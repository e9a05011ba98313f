"""A real systemd in namespaces of its own: a user's manager, or PID 1 of a small machine.

systemd need not be the PID 1 of this machine. It gets namespaces, a cgroup and, as PID 1, a
copy-on-write view of the root folder; all of it is gone when its first process ends, which is
when the test does. Needs root and a cgroup v2 mount.

What this project needs is mounted below /mnt, where every user and every sandbox finds it, though
it may be in root's home or in /tmp out here: Python with its packages, the checkout, and the
folder of a sound server that runs outside.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec import to_builtins
from support.daemon import PATIENCE

from wakeword_daemon.events.client import read_status

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from support.soundserver import SoundServer

SERVICE, SOCKET = "wakeword.service", "wakeword.socket"
WAKEWORD = (
    f"/mnt/python/bin/python{sys.version_info.major}.{sys.version_info.minor}",
    *("-m", "wakeword_daemon"),
)

_CHECKOUT = Path(__file__).resolve().parents[2]
_HOME = "/mnt/home"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SETTINGS = {
    "PYTHONHOME": "/mnt/python",
    "PYTHONPATH": "/mnt/checkout:/mnt/packages",
    "LD_LIBRARY_PATH": "/mnt/python/lib",
    "PULSE_SERVER": "unix:/mnt/sound/run/native",
    "PULSE_CLIENTCONFIG": "/mnt/sound/client.conf",
    "ALSA_CONFIG_PATH": "/mnt/sound/alsa.conf",
    "JACK_NO_START_SERVER": "1",
}

# /proc is the outside's until another is mounted: from it comes the number of the first process
# by which the outside knows it.
_MOUNT = """\
set -eu
read -r pid _ < /proc/self/stat
mount -t tmpfs -o mode=755 tmpfs "$LAB"
mkdir -p "$LAB"/mnt/{python,packages,checkout,sound,home}
mount --bind "$PREFIX" "$LAB/mnt/python"
mount --bind "$PACKAGES" "$LAB/mnt/packages"
mount --bind "$CHECKOUT" "$LAB/mnt/checkout"
mount --bind "$SOUND" "$LAB/mnt/sound"
"""


class Manager(ABC):
    """A running service manager with this project's units, as a context manager.

    Skips the test where it cannot run. The units and the places of everything are those of an
    installation: only the environment says where Python and the sound server are.

    Attributes:
        owner: the user that the manager runs as.

    """

    _which: tuple[str, ...]  # how systemctl finds this manager
    _private: str  # where it listens for systemctl
    units: str  # where its administrator puts units
    _shipped: str  # and where this project has them
    _command: str  # where those units expect `wakeword`
    _script: str

    def __init__(self, sound: SoundServer, owner: int, runtime: str) -> None:
        self.owner = owner
        self._runtime = runtime
        self._sound = sound
        self._pid: str | None = None

    def __enter__(self) -> Self:
        self._cgroup = _new_cgroup()
        self._lab = Path(tempfile.mkdtemp(prefix="sd-", dir="/tmp"))
        try:
            self._start()
            self._install()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate(timeout=PATIENCE)
        shutil.rmtree(self._lab)
        _remove_cgroup(self._cgroup)

    @property
    def socket(self) -> Path:
        """The daemon's event socket, for a client out here, who is root to the daemon."""
        return self.path(f"{self._runtime}/wakeword/events.sock")

    @property
    def log(self) -> str:
        """What the daemon logged, and what the manager complained of."""
        return self._daemon_log() + (self._lab / "log").read_text()

    def path(self, inside: str) -> Path:
        """Return where a file of the manager's machine is to be found out here."""
        return Path(f"/proc/{self._pid}/root{inside}")

    def write(self, inside: str, text: str, mode: int = 0o644) -> None:
        """Write a file of the manager's machine."""
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def start(
        self, *command: str, user: int | None = None, groups: str = ""
    ) -> subprocess.Popen[str]:
        """Start a command on the manager's machine.

        It runs as the manager's own user, or as another one with the comma-separated `groups`.
        """
        user = self.owner if user is None else user
        settings = {"PATH": _PATH, "HOME": _HOME, "XDG_RUNTIME_DIR": self._runtime, **_SETTINGS}
        return subprocess.Popen(
            [
                *("nsenter", f"--target={self._pid}", "--all", "--wd=/", "setpriv"),
                *(f"--reuid={user}", f"--regid={user}"),
                f"--groups={groups}" if groups else "--clear-groups",
                *("env", "-i", *(f"{key}={value}" for key, value in settings.items()), *command),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command: str, check: bool = True, **who: object) -> str:
        """Run a command on the manager's machine to its end; return what it printed."""
        process = self.start(*command, **who)
        out, complaint = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0 or not check, f"{command}: {complaint}\n{self.log}"
        return out.strip()

    def listen(self, *arguments: str, **who: object) -> subprocess.Popen[str]:
        """Start `wakeword listen --json`; return it when it is connected."""
        before = len(self.status()["subscribers"])
        listener = self.start(*WAKEWORD, "listen", "--json", *arguments, **who)
        self.until(lambda: len(self.status()["subscribers"]) > before, "a subscription")
        return listener

    def systemctl(self, *arguments: str, check: bool = True) -> str:
        """Run systemctl; return its output."""
        return self.run("systemctl", *self._which, *arguments, check=check)

    def show(self, name: str) -> str:
        """Return a property of the daemon's service."""
        return self.systemctl("show", "--value", f"--property={name}", SERVICE)

    def stop(self) -> None:
        """Stop the daemon and its socket."""
        self.systemctl("stop", SERVICE, SOCKET)

    def status(self) -> dict[str, object]:
        """Return the daemon's answer to a `status` request."""
        return to_builtins(read_status(self.socket))

    def until(self, condition: Callable[[], object], what: str) -> object:
        """Wait until the condition holds; return its value."""
        end = time.monotonic() + PATIENCE
        while not (value := condition()):
            assert time.monotonic() < end, f"{what} did not happen\n{self.log}"
            time.sleep(0.05)
        return value

    @abstractmethod
    def _daemon_log(self) -> str:
        """Return what the daemon logged."""

    def _start(self) -> None:
        # The manager's services are other users than the sound server.
        for folder in (self._sound.root, self._sound.socket.parent):
            folder.chmod(0o755)
        with (self._lab / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig=KILL", "bash", "-c"),
                    # Joined before unsharing, so that this cgroup is the new namespace's root.
                    f'echo $$ > {self._cgroup}/cgroup.procs; exec "$@"',
                    *("bash", "unshare", "--mount", "--pid", "--cgroup", "--ipc", "--uts", "--net"),
                    *("--fork", "--kill-child=KILL", "--propagation=private"),
                    *("bash", "-c", _MOUNT + self._script),
                ],
                env={
                    "PATH": _PATH,
                    "LAB": str(self._lab),
                    "PREFIX": sys.base_prefix,
                    "PACKAGES": sysconfig.get_path("purelib"),
                    "CHECKOUT": str(_CHECKOUT),
                    "SOUND": str(self._sound.root),
                    "OWNER": str(self.owner),
                    "RUNTIME": self._runtime,
                },
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._pid = self._process.stdout.readline().strip()
        assert self._pid, (self._lab / "log").read_text()
        self.until(self.path(f"{self._private}").exists, "the manager")
        self.systemctl("is-system-running", "--wait", check=False)
        self.systemctl("set-environment", *(f"{name}={value}" for name, value in _SETTINGS.items()))

    def _install(self) -> None:
        self.write(self._command, f'#!/bin/sh\nexec {" ".join(WAKEWORD)} "$@"\n', 0o755)
        for unit in (SERVICE, SOCKET):
            self.write(f"{self.units}/{unit}", (_CHECKOUT / self._shipped / unit).read_text())
        self.systemctl("daemon-reload")


class UserManager(Manager):
    """`systemd --user`, which needs no account for its `owner`."""

    config = f"{_HOME}/.config/wakeword/config.yaml"
    _which = ("--user",)
    units = f"{_HOME}/.config/systemd/user"
    _shipped = "systemd"
    _command = f"{_HOME}/.local/bin/wakeword"
    _log = f"{_HOME}/daemon.log"
    _script = """\
        mount --rbind "$LAB/mnt" /mnt
        mount -t tmpfs -o mode=755 tmpfs /run
        mkdir -p /run/systemd/system  # sd_booted(3) looks for it
        mkdir -p "$RUNTIME"
        mount -t tmpfs tmpfs /sys/fs/cgroup
        mount -t cgroup2 cgroup2 /sys/fs/cgroup
        chown "$OWNER:$OWNER" "$RUNTIME" /mnt/home \\
            /sys/fs/cgroup /sys/fs/cgroup/cgroup.{procs,threads,subtree_control}
        chmod 700 "$RUNTIME"
        mount -t proc proc /proc
        echo $pid
        exec > /dev/null
        setpriv --reuid="$OWNER" --regid="$OWNER" --clear-groups \\
            env -i PATH="$PATH" HOME=/mnt/home XDG_RUNTIME_DIR="$RUNTIME" \\
            SYSTEMD_LOG_TARGET=console /lib/systemd/systemd --user --unit=basic.target &
        wait
    """

    def __init__(self, sound: SoundServer, owner: int = 1000) -> None:
        super().__init__(sound, owner, f"/run/user/{owner}")
        self._private = f"{self._runtime}/systemd/private"

    def _install(self) -> None:
        # There is no journal.
        self.write(
            f"{self.units}/service.d/log.conf", f"[Service]\nStandardError=append:{self._log}\n"
        )
        super()._install()
        self.run("chown", "--recursive", f"{self.owner}", _HOME, user=0)

    def _daemon_log(self) -> str:
        log = self.path(self._log)
        return log.read_text() if log.exists() else ""


class SystemManager(Manager):
    """systemd as PID 1 of a machine that has this one's files and only the services asked for."""

    config = "/etc/wakeword/config.yaml"
    _which = ()
    _private = "/run/systemd/private"
    units = "/etc/systemd/system"
    _shipped = "systemd/system"
    _command = "/usr/local/bin/wakeword"
    _script = """\
        mkdir "$LAB"/{upper,work,root}
        mount -t overlay -o lowerdir=/,upperdir="$LAB/upper",workdir="$LAB/work" overlay \\
            "$LAB/root"
        cd "$LAB/root"
        rm -rf {usr/lib,etc}/systemd/{system-generators,system/*.wants,system/*.requires} etc/fstab
        tr -d - < /proc/sys/kernel/random/uuid > etc/machine-id
        mount --rbind "$LAB/mnt" mnt
        mount -t proc proc proc
        mount -t sysfs sysfs sys
        mount -t tmpfs tmpfs sys/fs/cgroup
        mount -t cgroup2 cgroup2 sys/fs/cgroup
        mount -t tmpfs -o mode=755 tmpfs run
        mount -t tmpfs tmpfs tmp
        mount -t tmpfs -o mode=755 tmpfs dev
        for device in null zero full random urandom tty; do
            touch dev/$device
            mount --bind /dev/$device dev/$device
        done
        mkdir dev/pts dev/shm
        mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
        mount -t tmpfs tmpfs dev/shm
        ln -s pts/ptmx dev/ptmx
        ln -s /proc/self/fd dev/fd
        echo $pid
        pivot_root . .
        umount -l .
        exec env -i PATH="$PATH" container=test /lib/systemd/systemd --system \\
            --unit=basic.target --log-target=console --show-status=no > /dev/null
    """

    def __init__(self, sound: SoundServer) -> None:
        super().__init__(sound, 0, "/run")

    def _start(self) -> None:
        super()._start()
        self.systemctl("start", "systemd-journald.service")

    def _daemon_log(self) -> str:
        return self.run("journalctl", f"--unit={SERVICE}", "--output=cat", check=False)


def _new_cgroup() -> Path:
    """Make a cgroup; skip the test where that, or a namespace, cannot be had."""
    if os.geteuid() != 0:
        pytest.skip("namespaces need root")
    for program in ("systemctl", "unshare", "nsenter", "setpriv", "bash"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    for mounted in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"):  # hybrid first
        if (Path(mounted) / "cgroup.controllers").exists():
            break
    else:
        pytest.skip("there is no cgroup v2 mount")
    try:
        return Path(tempfile.mkdtemp(prefix="wakeword-", dir=mounted))
    except OSError as error:
        pytest.skip(f"no cgroup can be made: {error.strerror}")


def _remove_cgroup(cgroup: Path) -> None:
    end = time.monotonic() + PATIENCE
    while cgroup.exists():
        # Its last processes may still be on their way out.
        with contextlib.suppress(OSError):
            for folder, _, _ in os.walk(cgroup, topdown=False):
                Path(folder).rmdir()
        assert time.monotonic() < end, f"{cgroup} is still in use"
        time.sleep(0.02)
