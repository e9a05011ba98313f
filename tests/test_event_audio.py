"""Audio for subscribers: exactly what the microphone recorded, and gaps are reported."""

import asyncio
import tempfile
import threading
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from support.daemon import until
from support.eventserver import PATIENCE, RunningServer, detection

from wakeword_daemon.audio.ring import RingBuffer
from wakeword_daemon.clock import HOP, SAMPLE_RATE
from wakeword_daemon.errors import EventsError
from wakeword_daemon.events import audio
from wakeword_daemon.events.aioclient import subscribe_async
from wakeword_daemon.events.client import subscribe
from wakeword_daemon.events.items import Samples
from wakeword_daemon.events.session import Limits

NOISE = np.random.default_rng(1).integers(-2_000, 2_000, 40 * SAMPLE_RATE).astype(np.int16)


class Microphone:
    """Fills a ring with known samples, hop by hop, as fast as a test wants."""

    def __init__(self):
        self.ring = RingBuffer(10)
        self.pcm = NOISE
        self.written = 0

    def record(self, hops=1):
        for _ in range(hops):
            self.ring.write(self.pcm[self.written : self.written + HOP])
            self.written += HOP

    def keep_recording(self, hops):
        """Record a hop every few milliseconds on a thread."""

        def run():
            for _ in range(hops):
                self.record()
                time.sleep(0.005)

        thread = threading.Thread(target=run)
        thread.start()
        return thread


@pytest.fixture
def microphone():
    return Microphone()


@pytest.fixture
def server(microphone):
    with RunningServer(audio=microphone.ring) as running:
        yield running


def collect(samples):
    """Return the audio of an iterator as one array, and where it began; without a gap in it."""
    samples = list(samples)
    for one, two in pairwise(samples):
        assert two.sample == one.sample + len(one.pcm) // 2 + two.lost
    assert all(one.lost == 0 for one in samples)
    return samples[0].sample, np.frombuffer(b"".join(one.pcm for one in samples), "<i2")


def plainly(server, count, **options):
    """Return the audio of so many detections, by the plain client."""
    ready, result = threading.Event(), []

    def listen():
        with subscribe(server.path, audio="after", **options) as events:
            ready.set()
            for _ in range(count):
                event = next(events)
                result.append((event, list(event.audio)))

    thread = threading.Thread(target=listen)
    thread.start()
    assert ready.wait(PATIENCE)
    return lambda: (thread.join(PATIENCE), result)[1]


def asynchronously(server, count, **options):
    """Return the audio of so many detections, by the client for asyncio."""
    result = []

    async def listen():
        async with subscribe_async(server.path, audio="after", **options) as events:
            for _ in range(count):
                event = await anext(events)
                result.append((event, [one async for one in event.audio]))

    before = server.subscriptions
    thread = threading.Thread(target=lambda: asyncio.run(listen()))
    thread.start()
    deadline = time.monotonic() + PATIENCE
    while server.subscriptions == before:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return lambda: (thread.join(PATIENCE), result)[1]


@pytest.fixture(params=[plainly, asynchronously])
def hear(request):
    return request.param


@pytest.mark.parametrize(("pre_roll", "seconds"), [(0, 1.0), (1.5, 0.5), (0.3333, 2.0)])
def test_every_sample_around_the_end_of_a_word_arrives(server, microphone, hear, pre_roll, seconds):
    microphone.record(40)
    result = hear(server, 1, pre_roll=pre_roll, seconds=seconds)
    end = microphone.written - 300  # within a hop
    server.publish(detection(sample=end))
    microphone.keep_recording(40).join()
    ((event, samples),) = result()
    assert event.sample == end
    start, pcm = collect(samples)
    assert start == end - round(1000 * pre_roll) * 16
    assert np.array_equal(pcm, microphone.pcm[start : end + round(seconds * SAMPLE_RATE)])


def test_a_gap_is_reported_and_the_samples_around_it_are_right(server, microphone, hear):
    microphone.record(20)
    result = hear(server, 1, pre_roll=0.5, seconds=2.0)
    end = microphone.written
    server.publish(detection(sample=end))
    microphone.record(5)
    microphone.ring.skip(5_000)
    microphone.record(40)
    ((_, samples),) = result()
    (after,) = (one for one in samples if one.lost)
    before = [one for one in samples if one.sample < after.sample]
    gap = end + 5 * HOP
    assert (after.sample, after.lost) == (gap + 5_000, 5_000)
    start, pcm = collect(before)
    assert np.array_equal(pcm, microphone.pcm[start:gap])
    rest = b"".join(one.pcm for one in samples if one.sample >= after.sample)
    stop = end + 2 * SAMPLE_RATE - 5_000  # on the clock the end stays where it was asked for
    assert np.array_equal(np.frombuffer(rest, "<i2"), microphone.pcm[gap:stop])


def test_pre_roll_beyond_the_ring_is_reported_as_lost(server, microphone, hear):
    microphone.record(150)  # 12 s
    result = hear(server, 1, pre_roll=11.0, seconds=0.5)
    end = microphone.written
    server.publish(detection(sample=end))
    microphone.record(10)
    ((_, samples),) = result()
    assert samples[0].lost >= SAMPLE_RATE
    assert samples[0].sample - samples[0].lost == end - 11 * SAMPLE_RATE
    at = samples[0].sample
    assert samples[0].pcm == microphone.pcm[at : at + len(samples[0].pcm) // 2].tobytes()


def test_silence_after_speech_ends_the_audio(server, microphone, hear):
    quiet, speech = (NOISE // 200).astype(np.int16), NOISE
    microphone.pcm = np.concatenate(
        (quiet[: 5 * SAMPLE_RATE], speech[: 2 * SAMPLE_RATE], quiet[: 20 * SAMPLE_RATE])
    )
    microphone.record(5 * SAMPLE_RATE // HOP)
    result = hear(server, 1, seconds=15.0, until_silence=1.0)
    end = microphone.written
    server.publish(detection(sample=end))
    microphone.record(10 * SAMPLE_RATE // HOP)
    ((_, samples),) = result()
    _, pcm = collect(samples)
    assert 3.0 <= len(pcm) / SAMPLE_RATE <= 3.2


def test_another_word_ends_the_audio_of_the_previous_one(server, microphone, hear):
    microphone.record(20)
    result = hear(server, 2, pre_roll=0.2, seconds=1.0)
    server.publish(detection("jarvis", sample=microphone.written))
    microphone.record(5)
    time.sleep(0.3)
    second = microphone.written
    server.publish(detection("alexa", sample=second))
    microphone.record(30)
    (first, before), (other, after) = result()
    assert (first.name, other.name) == ("jarvis", "alexa")
    assert len(collect(before)[1]) == 0.2 * SAMPLE_RATE + 5 * HOP
    start, pcm = collect(after)
    assert np.array_equal(pcm, microphone.pcm[second - 3_200 : second + SAMPLE_RATE])
    assert start == second - 3_200


def test_audio_that_is_not_read_is_skipped(server, microphone):
    microphone.record(20)
    with subscribe(server.path, audio="after", seconds=0.5) as events:
        server.publish(detection("jarvis", sample=microphone.written))
        microphone.record(20)
        assert next(events).name == "jarvis"
        server.publish(detection("alexa", sample=microphone.written))
        microphone.record(20)
        event = next(events)
        assert event.name == "alexa"
        assert len(collect(event.audio)[1]) == 0.5 * SAMPLE_RATE


def test_a_replayed_detection_has_no_audio(server, microphone, hear):
    microphone.record(20)
    result = hear(server, 3, seconds=0.5)
    server.publish(detection(sample=microphone.written))
    microphone.record(20)
    server.until(lambda peers: all(peer.queued == 0 for peer in peers))
    time.sleep(0.3)
    server.cut_and_publish(detection("alexa", sample=microphone.written))
    server.until(lambda peers: len(peers) == 1)
    while server.subscriptions < 2:
        time.sleep(0.005)
    server.publish(detection(sample=microphone.written))
    microphone.record(20)
    told = result()
    assert [len(samples) > 0 for _, samples in told] == [True, False, True]


def test_a_microphone_that_stops_ends_the_audio(server, microphone, hear, monkeypatch):
    monkeypatch.setattr(audio, "_WAIT", 0.2)
    microphone.record(20)
    result = hear(server, 1, seconds=5.0)
    server.publish(detection(sample=microphone.written))
    microphone.record(5)
    ((_, samples),) = result()
    assert len(collect(samples)[1]) == 5 * HOP


def test_audio_can_be_received_without_end(server, microphone):
    microphone.record(20)
    with server.connect() as peer:
        start = microphone.written - SAMPLE_RATE // 2
        peer.ask("subscribe", {"audio": "always", "pre_roll_ms": 500}, answer="subscribed")
        begun = peer.expect("audio-start")
        assert (begun["sample"], begun["sequence"]) == (start, None)
        assert (begun["rate"], begun["width"], begun["channels"]) == (16_000, 2, 1)
        server.publish(detection(sample=microphone.written))
        recording = microphone.keep_recording(60)
        pcm, names = b"", []
        while len(pcm) < 2 * 5 * SAMPLE_RATE:
            event = peer.read()
            names.append(event["type"])
            pcm += event.get("payload", b"")
        recording.join()
        assert set(names) == {"audio-chunk", "detection"}
        assert np.array_equal(np.frombuffer(pcm, "<i2"), NOISE[start:][: len(pcm) // 2])
        peer.send("subscribe")
        while (event := peer.read())["type"] != "subscribed":
            assert event["type"] == "audio-chunk"
        microphone.record(10)
        peer.ask("ping", answer="pong")  # no more audio


def everything(server, until_sample, **options):
    """Return all that a subscriber gets up to a sample, by the plain client."""
    heard, ready = [], threading.Event()

    def listen():
        with subscribe(server.path, audio="always", **options) as events:
            ready.set()
            for item in events:
                heard.append(item)
                if isinstance(item, Samples) and item.sample + len(item.pcm) // 2 >= until_sample:
                    break

    thread = threading.Thread(target=listen)
    thread.start()
    assert ready.wait(PATIENCE)
    return heard, lambda: (thread.join(PATIENCE), heard)[1]


def everything_asynchronously(server, until_sample, **options):
    """Return the same, by the client for asyncio."""
    heard = []

    async def listen():
        async with subscribe_async(server.path, audio="always", **options) as events:
            async for item in events:
                heard.append(item)
                if isinstance(item, Samples) and item.sample + len(item.pcm) // 2 >= until_sample:
                    break

    before = server.subscriptions
    thread = threading.Thread(target=lambda: asyncio.run(listen()))
    thread.start()
    until(lambda: server.subscriptions > before)
    return heard, lambda: (thread.join(PATIENCE), heard)[1]


@pytest.fixture(params=[everything, everything_asynchronously])
def hear_all(request):
    return request.param


def apart(items):
    """Return the detections, and the samples."""
    samples = [item for item in items if isinstance(item, Samples)]
    return [item for item in items if not isinstance(item, Samples)], samples


def test_a_subscriber_gets_all_audio_and_the_detections_in_it(server, microphone, hear_all):
    microphone.record(20)
    start = microphone.written - SAMPLE_RATE // 2
    _, result = hear_all(server, 60 * HOP, pre_roll=0.5)
    server.publish(detection(sample=microphone.written))
    microphone.keep_recording(40).join()
    detections, samples = apart(result())
    first, pcm = collect(samples)
    assert first == start
    assert np.array_equal(pcm, NOISE[start : 60 * HOP])
    assert [event.sample for event in detections] == [20 * HOP]


@pytest.mark.parametrize(("away", "lost"), [(40, 0), (200, 75)])
def test_continuous_audio_resumes_after_a_lost_connection(server, microphone, hear_all, away, lost):
    """What the ring of 125 hops still has follows without a gap; the rest is reported as lost."""
    microphone.record(20)
    heard, result = hear_all(server, (30 + away) * HOP)
    microphone.record(10)
    until(lambda: apart(heard)[1] and collect(apart(heard)[1])[1].size == 10 * HOP)
    server.call(lambda: (cut(server), microphone.record(away)))
    _, samples = apart(result())
    assert [one.lost for one in samples if one.lost] == [lost * HOP] * bool(lost)
    at = 20 * HOP
    for one in samples:
        at += one.lost
        assert one.sample == at
        assert one.pcm == NOISE[at : at + len(one.pcm) // 2].tobytes()
        at += len(one.pcm) // 2


def cut(server):
    for session in server.server._sessions:
        session.abort()


def test_a_new_run_of_the_daemon_starts_a_new_recording(microphone, hear_all):
    with tempfile.TemporaryDirectory(prefix="ww") as folder:
        path = Path(folder) / "events.sock"
        with RunningServer(unix=path, audio=microphone.ring) as server:
            server.path = path
            microphone.record(20)
            heard, result = hear_all(server, 30 * HOP)
            microphone.record(5)
            until(lambda: len(heard) == 5)
        another = Microphone()
        with RunningServer(unix=path, audio=another.ring):
            another.record(30)
            _, samples = apart(result())
    assert [one.sample // HOP for one in samples] == [*range(20, 25), *range(30)]
    assert samples[5].pcm == NOISE[:HOP].tobytes()


def test_a_subscriber_that_does_not_read_its_audio_delays_nobody(microphone):
    limits = Limits(stall=0.3)
    with RunningServer(audio=microphone.ring, limits=limits) as server, server.connect() as slow:
        slow.ask("subscribe", {"audio": "always"}, answer="subscribed")
        with server.connect() as peer:
            recording = microphone.keep_recording(400)
            for number in range(1, 21):
                server.publish(detection())
                assert peer.expect("detection")["sequence"] == number
            recording.join()
            server.until(lambda peers: len(peers) == 1)


def test_words_can_be_chosen_with_the_subscription(server):
    with server.connect() as peer:
        peer.ask("subscribe", {"names": ["alexa"]}, answer="subscribed")
        server.publish(detection("jarvis"), detection("alexa"))
        assert peer.expect("detection")["name"] == "alexa"
        error = peer.ask("subscribe", {"names": ["sheila"]}, answer="error")
        assert error["code"] == "unknown-word"


def test_audio_is_refused_where_there_is_none():
    with RunningServer() as server, pytest.raises(EventsError, match="sends no audio"):
        subscribe(server.path, audio="after")


@pytest.mark.parametrize("wrong", [{"pre_roll": -1}, {"seconds": 0}, {"until_silence": 1000}])
def test_invalid_audio_requests_are_refused(server, wrong):
    with pytest.raises(ValueError, match="out of range"):
        subscribe(server.path, audio="after", **wrong)
