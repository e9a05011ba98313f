"""When a thread counts as hung, with a clock that the test sets."""

from types import SimpleNamespace

import pytest

from wakeword_daemon.service import watchdog
from wakeword_daemon.service.watchdog import HUNG, HungError, Watchdog


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=1_000.0)
    monkeypatch.setattr(watchdog.time, "monotonic", lambda: clock.now)
    return clock


def parts(clock):
    thread = SimpleNamespace(heartbeat=clock.now)
    engine = SimpleNamespace(heartbeat=clock.now)
    return thread, engine, Watchdog(thread, engine)


def watch(clock, seconds, dog, *alive):
    """Check once a second, while some of the threads live."""
    for _ in range(seconds):
        clock.now += 1
        for thread in alive:
            thread.heartbeat = clock.now
        dog.check()


def test_a_hanging_thread_is_named(clock):
    capture, engine, dog = parts(clock)
    watch(clock, 60, dog, capture, engine)
    with pytest.raises(HungError, match="the sound library has hung for 7 s"):
        watch(clock, 60, dog, engine)
    capture, engine, dog = parts(clock)
    with pytest.raises(HungError, match="the engine has hung for 7 s"):
        watch(clock, 60, dog, capture)


def test_a_process_that_was_stopped_for_a_minute_continues(clock):
    capture, engine, dog = parts(clock)
    watch(clock, 5, dog, capture, engine)
    clock.now += 60
    dog.check()
    watch(clock, int(HUNG), dog)  # the threads are not at work again at once
    watch(clock, 60, dog, capture, engine)


def test_a_thread_that_hangs_across_a_stop_still_counts_as_hung(clock):
    _, engine, dog = parts(clock)
    clock.now += 60
    dog.check()
    with pytest.raises(HungError, match="the sound library has hung for 7 s"):
        watch(clock, 60, dog, engine)
