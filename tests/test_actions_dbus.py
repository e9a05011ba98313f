"""The daemon on a real session bus, asked by `gdbus` as any program would."""

import sys
import time
from contextlib import contextmanager

import pytest
from support.bus import Bus
from support.daemon import Daemon, recording, until, wakeword

pytest.importorskip("dbus_fast")


@pytest.fixture
def bus():
    with Bus() as running:
        yield running


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("dbus:\n  enabled: true\nwords:\n  jarvis:\n  smart mirror:\n")
    return path


@pytest.fixture
def hearing(bus, config, tmp_path):
    """Return a context manager: a daemon that hears some seconds of silence, and words."""

    @contextmanager
    def started(*sounds):
        path = tmp_path / f"{time.monotonic_ns()}.wav"
        recording(path, *sounds)
        arguments = ("--config", config, "--input", path)
        with Daemon(*arguments, settings=bus.settings) as daemon:
            daemon.notified("READY")
            yield daemon

    return started


def on_the_bus(daemon):
    until(lambda: "on the session bus as org.wakeword.Daemon1" in daemon.log, "the name")


@pytest.mark.slow
def test_programs_on_the_bus_learn_of_words_and_state(bus, hearing):
    with hearing(5.0, "jarvis-slt", 60.0) as daemon:
        on_the_bus(daemon)
        monitor = bus.monitor()
        assert bus.property("Words") == "(<['jarvis', 'smart_mirror']>,)"
        assert bus.property("State") == "(<'listening'>,)"
        line = monitor.stdout.readline()
        assert line.startswith(
            "/org/wakeword/Daemon1: org.wakeword.Daemon1.Detected ('jarvis', 0.8"
        ), line
        assert daemon.stop() == 0
    assert "was not provided" in bus.property("State")  # it left the bus


@pytest.mark.slow
def test_pause_and_resume(bus, hearing):
    with hearing(60.0) as daemon:
        on_the_bus(daemon)
        monitor = bus.monitor()
        assert bus.gdbus("call", "--method", "org.wakeword.Daemon1.Pause", "0") == "()"
        assert daemon.status()["state"] == "paused"
        assert bus.property("State") == "(<'paused'>,)"
        assert "'State': <'paused'>" in monitor.stdout.readline()
        assert bus.gdbus("call", "--method", "org.wakeword.Daemon1.Resume") == "()"
        assert daemon.status()["state"] == "listening"
        refused = bus.gdbus("call", "--method", "org.wakeword.Daemon1.Pause", "--", "-1")
        assert "a pause takes up to 10080 minutes" in refused


@pytest.mark.slow
def test_the_daemon_waits_for_a_bus_that_starts_late_or_goes_away(bus, hearing):
    bus.stop()
    with hearing(6.0, "jarvis-slt", 60.0) as daemon:
        until(lambda: "no session bus at " in daemon.log, "a complaint")
        bus.start()
        on_the_bus(daemon)
        bus.stop()
        until(lambda: "the session bus is gone" in daemon.log, "the end of the bus")
        until(lambda: daemon.status()["last_detection"], "a detection without a bus")
        bus.start()
        until(lambda: daemon.log.count("on the session bus as") == 2, "the name again")
        status = daemon.status()
        assert (status["state"], status["gaps"]) == ("listening", 0)
        assert daemon.log.count("no session bus at ") <= 2  # said once for each time


@pytest.mark.slow
def test_only_one_of_two_daemons_gets_the_name(hearing):
    with hearing(60.0) as first:
        on_the_bus(first)
        with hearing(60.0) as second:
            until(lambda: "another daemon is org.wakeword.Daemon1" in second.log, "a complaint")
            first.stop()
            on_the_bus(second)


def test_the_config_is_refused_without_the_package(config, tmp_path):
    """As on a machine where the extra is not installed."""
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['dbus_fast'] = None\n")
    path = f"{tmp_path}:{':'.join(sys.path)}"
    done = wakeword("run", "--check", "--config", config, env={"PYTHONPATH": path})
    assert done.returncode == 2
    assert done.stderr.strip() == (
        "wakeword: dbus.enabled needs the package dbus_fast; in a clone of this project, install"
        " what is missing with: pip install '.[dbus]'"
    )
