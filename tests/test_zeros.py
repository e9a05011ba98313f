"""When exact zeros are reported, and when the device is reopened because of them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeword_daemon.audio.zeros import ZeroWatch

BLOCK = 0.08


class Source:
    """Blocks of sound and zeros in virtual time; counts what is reported and opened again."""

    def __init__(self):
        self.watch = ZeroWatch()
        self.lived = 100.0
        self.reports = 0
        self.openings = 0

    def give(self, duration, *, sound):
        for _ in range(round(duration / BLOCK)):
            before = self.watch.suspicious
            self.lived += BLOCK
            if self.watch.push(sound=sound, duration=BLOCK, lived=self.lived):
                self.openings += 1
                self.lived = 0.0
            self.reports += self.watch.suspicious and not before

    def until_opened(self):
        """Give zeros until the device is opened again; return for how many seconds."""
        openings, duration = self.openings, 0.0
        while self.openings == openings:
            self.give(BLOCK, sound=False)
            duration += BLOCK
        return duration


@pytest.fixture
def source():
    return Source()


def test_zeros_are_reported_after_a_second_and_the_device_is_reopened_after_two(source):
    source.give(0.96, sound=False)
    assert not source.watch.suspicious
    source.give(0.16, sound=False)
    assert source.watch.suspicious
    assert source.until_opened() == pytest.approx(0.88, abs=0.1)
    source.give(BLOCK, sound=True)
    assert not source.watch.suspicious


def test_a_muted_microphone_is_reopened_about_once_a_minute(source):
    source.give(3600, sound=False)
    assert source.reports == 1
    assert 3600 / 64 < source.openings < 70


def test_a_source_with_pauses_is_soon_no_longer_reopened(source):
    for _ in range(60):
        source.give(2.0, sound=True)
        source.give(5.0, sound=False)
    assert source.reports <= 3
    assert source.openings <= 2


def test_pauses_that_end_after_reopening_are_not_credited_to_it_for_ever(source):
    for _ in range(60):
        source.give(2.0, sound=True)
        source.give(2.16, sound=False)
    assert source.reports <= 4
    assert source.openings <= 2


def test_a_source_that_reopening_restores_is_reopened_soon(source):
    for _ in range(5):
        assert source.until_opened() <= 3.1
        source.give(30, sound=True)


def test_zeros_are_reported_soon_again_after_minutes_of_sound(source):
    for _ in range(10):
        source.give(2.0, sound=True)
        source.give(10.0, sound=False)
    source.give(301, sound=True)
    source.give(1.2, sound=False)
    assert source.watch.suspicious


def test_zeros_are_reported_soon_after_the_cause_was_found(source):
    for _ in range(10):
        source.give(2.0, sound=True)
        source.give(10.0, sound=False)
    source.watch.forget()
    source.give(1.2, sound=False)
    assert source.watch.suspicious


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.floats(0.1, 20), st.floats(0.1, 28)), min_size=1, max_size=30))
def test_short_pauses_are_reported_only_a_few_times(turns):
    source = Source()
    for sound, zeros in turns:
        source.give(sound, sound=True)
        source.give(zeros, sound=False)
    assert source.reports <= 15
