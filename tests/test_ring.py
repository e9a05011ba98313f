"""The ring: what is written is read in order, and missing audio is reported."""

import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wakeword_daemon.audio.ring import RingBuffer
from wakeword_daemon.clock import SAMPLE_RATE

SIZE = 1_000


def ring_of(size=SIZE):
    return RingBuffer(size / SAMPLE_RATE)


def ramp(start, count):
    """Samples whose value is their index."""
    return np.arange(start, start + count).astype(np.int16)


WRITES = st.lists(
    st.tuples(st.sampled_from(["write", "skip", "read"]), st.integers(0, SIZE * 3 // 2)),
    max_size=40,
)


@given(WRITES)
def test_every_sample_is_read_once_in_order_or_counted_as_missing(steps):
    ring = ring_of()
    reader = ring.reader()
    clock = position = written = got = gaps = missing = 0
    for what, count in steps:
        if what == "write":
            ring.write(ramp(clock, count))
            clock += count
            written += count
        elif what == "skip":
            ring.skip(count)
            clock += count
            gaps += count
        else:
            try:
                block = reader.read(max(count % SIZE, 1), timeout=0)
            except TimeoutError:
                continue
            assert block.start == position + block.lost
            assert np.array_equal(block.pcm, ramp(block.start, len(block.pcm)))
            position = block.start + len(block.pcm)
            got += len(block.pcm)
            missing += block.lost
    ring.close()
    while (block := reader.read(SIZE)) is not None:
        assert np.array_equal(block.pcm, ramp(block.start, len(block.pcm)))
        got += len(block.pcm)
        missing += block.lost
    assert ring.clock == clock
    assert got + reader.lost == written
    assert reader.lost <= missing <= reader.lost + gaps
    assert reader.backlog == 0


@given(WRITES, st.integers(-10, 3 * SIZE), st.integers(-10, 3 * SIZE))
def test_the_history_equals_the_stream(steps, start, stop):
    ring = ring_of()
    whole = np.zeros(0, np.int16)
    for what, count in steps:
        if what == "write":
            ring.write(ramp(len(whole), count))
            whole = np.concatenate((whole, ramp(len(whole), count)))
        elif what == "skip":
            ring.skip(count)
            whole = np.concatenate((whole, np.zeros(count, np.int16)))
    at, pcm = ring.copy(start, stop)
    assert len(pcm) <= SIZE
    assert np.array_equal(pcm, whole[at : at + len(pcm)])
    if max(len(whole) - SIZE, 0) <= start < stop <= len(whole):
        assert (at, len(pcm)) == (start, stop - start), "the last SIZE samples are always held"


def test_a_block_ends_at_a_gap_and_the_next_one_has_its_length():
    ring = ring_of()
    reader = ring.reader()
    ring.write(ramp(0, 300))
    ring.skip(5_000)
    before = reader.read(400, timeout=0)
    assert (before.start, len(before.pcm), before.lost) == (0, 300, 0)
    with pytest.raises(TimeoutError):
        reader.read(400, timeout=0)
    ring.write(ramp(5_300, 400))
    after = reader.read(400, timeout=0)
    assert (after.start, len(after.pcm), after.lost) == (5_300, 400, 5_000)
    assert reader.lost == 0, "a gap is not an overrun"


def test_a_long_gap_does_not_remove_history():
    ring = ring_of()
    reader = ring.reader()
    ring.write(ramp(0, 300))
    ring.skip(24 * 3_600 * SAMPLE_RATE)
    ring.write(ramp(0, 300))
    assert [len(reader.read(300, timeout=0).pcm) for _ in range(2)] == [300, 300]


def test_a_slow_reader_does_not_block_the_writer_and_learns_what_it_lost():
    ring = ring_of()
    slow, quick = ring.reader(), ring.reader()
    for start in range(0, 5_000, 100):
        ring.write(ramp(start, 100))
        assert quick.read(100, timeout=0).lost == 0
    block = slow.read(100, timeout=0)
    assert (block.start, block.lost, slow.lost) == (4_000, 4_000, 4_000)
    assert slow.backlog == 900


def test_a_reader_starts_at_the_present():
    ring = ring_of()
    ring.write(ramp(0, 100))
    ring.skip(50)
    reader = ring.reader()
    ring.write(ramp(150, 100))
    block = reader.read(100, timeout=0)
    assert (block.start, block.lost) == (150, 0)


def test_part_of_a_block_waits_for_the_rest():
    ring = ring_of()
    reader = ring.reader()
    ring.write(ramp(0, 60))
    with pytest.raises(TimeoutError, match=r"no audio for 0\.01 s"):
        reader.read(100, timeout=0.01)
    ring.write(ramp(60, 60))
    assert np.array_equal(reader.read(100, timeout=0).pcm, ramp(0, 100))


def test_a_waiting_reader_wakes_up_for_audio_and_for_the_end():
    ring = ring_of()
    reader = ring.reader()
    blocks = []

    def read():
        while (block := reader.read(100, timeout=10)) is not None:
            blocks.append(block)

    thread = threading.Thread(target=read)
    thread.start()
    ring.write(ramp(0, 150))
    ring.close()
    thread.join(10)
    assert [len(block.pcm) for block in blocks] == [100, 50]
    with pytest.raises(ValueError, match="closed"):
        ring.write(ramp(0, 1))


def test_a_patient_source_waits_for_the_slowest_reader():
    ring = ring_of()
    assert ring.wait_for_room(10 * SIZE, timeout=0), "nobody reads, nothing to lose"
    slow, quick = ring.reader(), ring.reader()
    ring.write(ramp(0, 900))
    quick.read(900, timeout=0)
    assert ring.wait_for_room(100, timeout=0)
    assert not ring.wait_for_room(101, timeout=0)
    waiting = []
    thread = threading.Thread(target=lambda: waiting.append(ring.wait_for_room(101, timeout=10)))
    thread.start()
    slow.read(1, timeout=0)
    thread.join(10)
    assert waiting == [True]


def test_wall_clock_time_continues_across_gaps():
    ring = ring_of()
    ring.write(ramp(0, 500), captured=1_000.0)
    assert ring.wall_time(500) == 1_000.0
    assert ring.wall_time(500 - SAMPLE_RATE) == 999.0
    ring.skip(SAMPLE_RATE)
    assert ring.wall_time(ring.clock) == 1_001.0
    before = time.time()
    ring.write(ramp(0, 500))
    assert before <= ring.wall_time(ring.clock) <= time.time()
