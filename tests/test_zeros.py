"""When exact zeros are reported, and when the device is opened again because of them."""

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


def test_zeros_are_reported_after_a_second_and_the_device_is_opened_after_two(source):
    source.give(0.96, sound=False)
    assert not source.watch.suspicious
    source.give(0.16, sound=False)
    assert source.watch.suspicious
    assert source.until_opened() == pytest.approx(0.88, abs=0.1)
    source.give(BLOCK, sound=True)
    assert not source.watch.suspicious


def test_a_microphone_muted_for_an_hour_is_opened_about_once_a_minute(source):
    source.give(3600, sound=False)
    assert source.reports == 1
    assert 3600 / 64 < source.openings < 70


def test_a_source_with_pauses_is_soon_left_in_peace(source):
    for _ in range(60):
        source.give(2.0, sound=True)
        source.give(5.0, sound=False)
    assert source.reports <= 3
    assert source.openings <= 2


def test_pauses_that_end_just_after_an_opening_do_not_look_like_its_merit_for_ever(source):
    for _ in range(60):
        source.give(2.0, sound=True)
        source.give(2.16, sound=False)
    assert source.reports <= 4
    assert source.openings <= 2


def test_a_source_that_opening_brings_back_is_not_kept_waiting(source):
    for _ in range(5):
        assert source.until_opened() <= 3.1
        source.give(30, sound=True)


def test_after_minutes_of_sound_zeros_are_news_again(source):
    for _ in range(10):
        source.give(2.0, sound=True)
        source.give(10.0, sound=False)
    source.give(301, sound=True)
    source.give(1.2, sound=False)
    assert source.watch.suspicious


def test_when_the_reason_is_found_the_next_zeros_are_reported_soon(source):
    for _ in range(10):
        source.give(2.0, sound=True)
        source.give(10.0, sound=False)
    source.watch.forget()
    source.give(1.2, sound=False)
    assert source.watch.suspicious


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.floats(0.1, 20), st.floats(0.1, 28)), min_size=1, max_size=30))
def test_no_pauses_of_less_than_half_a_minute_are_reported_more_than_a_few_times(turns):
    source = Source()
    for sound, zeros in turns:
        source.give(sound, sound=True)
        source.give(zeros, sound=False)
    assert source.reports <= 15
