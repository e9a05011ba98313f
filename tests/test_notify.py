import os
import socket
import time

import pytest

from wakeword_daemon.service.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    """A socket as systemd's, and the environment that names it."""
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.settimeout(5)
    if request.param == "path":
        name = str(tmp_path / "n")
        receiver.bind(name)
    else:
        name = f"@wakeword-test-{os.getpid()}"
        receiver.bind("\0" + name[1:])
    with receiver:
        yield receiver, {"NOTIFY_SOCKET": name}


def test_messages_follow_sd_notify(manager):
    receiver, environ = manager
    notifier = Notifier(environ)
    notifier.ready("listening")
    assert receiver.recv(999) == b"READY=1\nSTATUS=listening"
    notifier.status("deaf")
    assert receiver.recv(999) == b"STATUS=deaf"
    notifier.watchdog()
    assert receiver.recv(999) == b"WATCHDOG=1"
    before = time.monotonic_ns() // 1000
    notifier.reloading()
    reloading, usec = receiver.recv(999).decode().split("\nMONOTONIC_USEC=")
    assert reloading == "RELOADING=1"
    assert before <= int(usec) <= time.monotonic_ns() // 1000
    notifier.stopping()
    assert receiver.recv(999) == b"STOPPING=1"


def test_a_manager_that_does_not_read_never_delays(manager):
    _, environ = manager
    notifier = Notifier(environ)
    for _ in range(5000):  # far more than any socket buffer holds
        notifier.status("x" * 1000)


def test_without_a_manager_nothing_is_sent(tmp_path):
    for environ in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone")}):
        notifier = Notifier(environ)
        notifier.ready("listening")
        assert notifier.watchdog_seconds is None


def test_the_watchdog_is_only_for_the_named_process():
    own = str(os.getpid())
    assert Notifier({"WATCHDOG_USEC": "1500000"}).watchdog_seconds == 1.5
    assert Notifier({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": own}).watchdog_seconds == 1.5
    assert Notifier({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": "1"}).watchdog_seconds is None
    assert Notifier({"WATCHDOG_USEC": "0"}).watchdog_seconds is None
    assert Notifier({"WATCHDOG_USEC": "soon"}).watchdog_seconds is None
