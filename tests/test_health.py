"""When a thread counts as hung, by a clock that the test turns."""

from types import SimpleNamespace

import pytest

from wakeword_daemon.service import health
from wakeword_daemon.service.health import HUNG, Health, HungError


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=1_000.0)
    monkeypatch.setattr(health.time, "monotonic", lambda: clock.now)
    return clock


def parts(clock):
    thread = SimpleNamespace(heartbeat=clock.now)
    engine = SimpleNamespace(heartbeat=clock.now)
    return thread, engine, Health(thread, engine)


def watch(clock, seconds, health_, *alive):
    """Check once a second, while some of the threads live."""
    for _ in range(seconds):
        clock.now += 1
        for thread in alive:
            thread.heartbeat = clock.now
        health_.check()


def test_a_thread_that_hangs_alone_is_told_by_its_name(clock):
    capture, engine, health_ = parts(clock)
    watch(clock, 60, health_, capture, engine)
    with pytest.raises(HungError, match="the sound library has hung for 7 s"):
        watch(clock, 60, health_, engine)
    capture, engine, health_ = parts(clock)
    with pytest.raises(HungError, match="the engine has hung for 7 s"):
        watch(clock, 60, health_, capture)


def test_a_process_that_was_stopped_for_a_minute_goes_on(clock):
    capture, engine, health_ = parts(clock)
    watch(clock, 5, health_, capture, engine)
    clock.now += 60
    health_.check()
    watch(clock, int(HUNG), health_)  # the threads are not at work again at once
    watch(clock, 60, health_, capture, engine)


def test_a_thread_that_hangs_across_a_stop_still_counts_as_hung(clock):
    _, engine, health_ = parts(clock)
    clock.now += 60
    health_.check()
    with pytest.raises(HungError, match="the sound library has hung for 7 s"):
        watch(clock, 60, health_, engine)
