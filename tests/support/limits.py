"""What a process may use: CPU time by a control group, a small disk, and a network of its own.

All of it needs root; without, the test is skipped.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

_GROUPS = Path("/sys/fs/cgroup")
_PERIOD = 100_000  # microseconds


@contextlib.contextmanager
def _group(controller: str, pid: int) -> Iterator[Path]:
    """Put a process into a control group of its own."""
    unified = (_GROUPS / "cgroup.controllers").exists()
    parent = _GROUPS if unified else _GROUPS / controller
    folder = parent / f"wakeword-test-{pid}"
    try:
        if unified:
            (parent / "cgroup.subtree_control").write_text(f"+{controller}")
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made: {error}")
    try:
        (folder / "cgroup.procs").write_text(str(pid))
        yield folder
    finally:
        with contextlib.suppress(OSError):  # it has ended
            (parent / "cgroup.procs").write_text(str(pid))
        folder.rmdir()


@contextlib.contextmanager
def little_cpu(pid: int, share: float) -> Iterator[None]:
    """Give a process this share of one core."""
    quota = round(share * _PERIOD)
    with _group("cpu", pid) as folder:
        if (folder / "cpu.max").exists():
            (folder / "cpu.max").write_text(f"{quota} {_PERIOD}")
        else:
            (folder / "cpu.cfs_period_us").write_text(str(_PERIOD))
            (folder / "cpu.cfs_quota_us").write_text(str(quota))
        yield


@contextlib.contextmanager
def small_disk(megabytes: int = 1) -> Iterator[Path]:
    """Mount a small disk."""
    folder = Path(tempfile.mkdtemp(prefix="dsk-", dir="/tmp"))
    if os.geteuid() != 0 or _run(
        "mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs", str(folder)
    ):
        folder.rmdir()
        pytest.skip("no disk can be mounted")
    try:
        yield folder
    finally:
        _run("umount", "--lazy", str(folder))
        folder.rmdir()


def fill(disk: Path) -> Path:
    """Write until a disk is full; return the file that fills it."""
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
        while True:
            file.write(bytes(shutil.disk_usage(disk).free or 4096))
    return ballast


def remount(disk: Path, mode: str) -> None:
    """Make a disk read-only ("ro") or writable ("rw")."""
    subprocess.run(["mount", "-o", f"remount,{mode}", disk], check=True)


class Network:
    """Another host, as a network namespace whose only cable a test can pull, as a context manager.

    A process in it is started with `*network.inside` in front of its command.
    """

    def __enter__(self) -> Self:
        number = os.getpid()
        self._name = f"ww{number}"
        net = f"10.213.{number // 64 % 256}"  # so that two runs at a time do not meet
        self.here, self.there = (f"{net}.{number % 64 * 4 + host}" for host in (1, 2))
        self.inside = ("ip", "netns", "exec", self._name)
        if shutil.which("ip") is None or _run("ip", "netns", "add", self._name):
            pytest.skip("no network namespace can be made")
        try:
            there = ("ip", "-n", self._name)
            for command in (
                ("ip", "link", "add", f"{self._name}a", "type", "veth", "peer", f"{self._name}b"),
                ("ip", "link", "set", f"{self._name}b", "netns", self._name),
                ("ip", "address", "add", f"{self.here}/30", "dev", f"{self._name}a"),
                (*there, "address", "add", f"{self.there}/30", "dev", f"{self._name}b"),
                ("ip", "link", "set", f"{self._name}a", "up"),
            ):
                subprocess.run(command, check=True)
            self.plug()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        _run("ip", "netns", "delete", self._name)
        _run("ip", "link", "delete", f"{self._name}a")  # gone with the namespace, or just not yet

    def plug(self) -> None:
        """Plug the cable in."""
        self._set("up")

    def unplug(self) -> None:
        """Cut the network at the other host; no connection is closed."""
        self._set("down")

    def _set(self, state: str) -> None:
        subprocess.run(["ip", "-n", self._name, "link", "set", f"{self._name}b", state], check=True)


def _run(*command: str) -> int:
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode
