"""The wake service: everything that rooms may send, and the answers."""

import contextlib
import json

import numpy as np
import pytest
import soxr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.roomserver import RunningRooms, detectors, speech

from wakeword_daemon.engine import Detector
from wakeword_daemon.events.framing import Frame, FrameDecoder, ProtocolError
from wakeword_daemon.rooms.pace import Pace
from wakeword_daemon.rooms.room import Room


@pytest.fixture(scope="module")
def words():
    return detectors()


@pytest.fixture
def room(words):
    return Talk(Room(words))


class Talk:
    """Speaks to a room without a socket."""

    def __init__(self, room):
        self.room = room

    def send(self, kind, payload=b"", **data):
        answer = self.room.take(Frame(kind, data, payload))
        return [json.loads(line) for line in answer.splitlines()]

    def refused(self, kind, payload=b"", **data):
        with pytest.raises(ProtocolError) as caught:
            self.send(kind, payload, **data)
        assert not caught.value.fatal
        return caught.value.code

    def say(self, pcm, rate=16_000, width=2, channels=1, size=1_280, **data):
        answers, raw = [], pcm if isinstance(pcm, bytes) else pcm.tobytes()
        step = size * width * channels
        for start in range(0, len(raw), step):
            chunk = raw[start : start + step]
            answers += self.send(
                "audio-chunk", chunk, rate=rate, width=width, channels=channels, **data
            )
        return answers


START = {"rate": 16_000, "width": 2, "channels": 1}


def test_a_word_gives_the_detection_of_the_detector(room, words):
    pcm = speech()
    (own,) = Detector(words.models, words.settings).push(pcm)
    assert room.send("detect", names=["jarvis"]) == []
    assert room.send("audio-start", **START) == []
    (event,) = room.say(pcm)
    assert event["type"] == "detection"
    assert event["data"] == {
        "name": "jarvis",
        "timestamp": own.sample * 1000 // 16_000,
        "score": pytest.approx(own.score),
        "sample": own.sample,
        "level": pytest.approx(own.level, abs=0.2),
        "model": own.model,
    }
    assert room.send("audio-stop") == []


def test_silence_is_not_detected(room):
    room.send("detect", names=["jarvis"], context={"room": "kitchen"})
    room.send("audio-start", **START)
    assert room.say(np.zeros(32_000, np.int16)) == []
    assert room.send("audio-stop") == [
        {"type": "not-detected", "data": {"context": {"room": "kitchen"}}}
    ]
    assert room.send("audio-stop") == []


def test_the_context_is_returned_with_the_detection(room):
    room.send("detect", names=None, context={"id": 7})
    (event,) = room.say(speech())
    assert event["data"]["context"] == {"id": 7}


def test_timestamps_of_a_room_set_its_clock(room, words):
    pcm = speech()
    (own,) = Detector(words.models, words.settings).push(pcm)
    room.send("audio-start", **START)
    events, sent = [], 1_000_000
    for start in range(0, len(pcm), 1280):
        events += room.say(pcm[start : start + 1280], timestamp=sent)
        sent += 80
    assert events[0]["data"]["timestamp"] == 1_000_000 + own.sample * 1000 // 16_000
    assert events[0]["data"]["sample"] == own.sample


def test_unrequested_words_are_not_reported(room):
    room.send("detect", names=["alexa"])
    assert room.say(speech("jarvis-slt")) == []


def test_an_unknown_word_is_an_error_and_nothing_else(room):
    assert room.refused("detect", names=["jarvis", "hal"]) == "unknown-word"
    room.send("audio-start", **START)
    assert room.say(speech()) == []
    assert room.send("audio-stop") == []
    room.send("detect", names=["jarvis"])
    assert len(room.say(speech())) == 1


def test_a_connection_can_be_used_for_several_streams(room):
    for _ in range(3):
        room.send("detect", names=["jarvis"])
        room.send("audio-start", **START)
        (event,) = room.say(speech())
        assert event["data"]["timestamp"] < 3000  # each stream has its own clock


def test_words_can_change_within_a_stream(room):
    room.send("detect", names=["alexa"])
    room.send("audio-start", **START)
    room.say(speech())
    room.send("detect", names=["jarvis"])
    (event,) = room.say(speech())
    assert event["data"]["timestamp"] > 2000  # the stream's clock went on


def test_info_can_be_asked_for_in_mid_stream(room):
    """As a satellite does that is asked to describe itself."""
    pcm = speech()
    room.send("detect", names=["jarvis"])
    room.send("audio-start", **START)
    heard = room.say(pcm[:16_000])
    (info,) = room.send("describe")
    heard += room.say(pcm[16_000:])
    assert info["type"] == "info"
    assert [event["type"] for event in heard] == ["detection"]


def test_a_word_after_an_hour_of_silence_is_heard_at_its_time(words):
    pcm, patient = speech(), Talk(Room(words))
    (own,) = Detector(words.models, words.settings).push(pcm)
    patient.send("detect", names=["jarvis"])
    patient.send("audio-start", **START)
    for _ in range(3600):
        assert patient.say(bytes(32_000), size=16_000) == []
    (event,) = patient.say(pcm)
    assert event["data"]["timestamp"] == pytest.approx(
        3_600_000 + own.sample * 1000 // 16_000, abs=80
    )


def test_the_refractory_time_follows_the_clock_of_the_stream(words):
    """However fast it is sent, a word that comes again within the refractory time is one event."""
    twice = np.concatenate((speech(after=0.3), speech(before=0.3)))
    (first, second) = Detector(words.models, words.settings).push(twice)
    patient = detectors(["jarvis"])
    gap = (second.sample - first.sample) / 16_000
    for seconds, count in [(gap + 0.1, 1), (gap - 0.1, 2)]:
        patient.settings["jarvis"] = type(patient.settings["jarvis"])(refractory=seconds)
        talk = Talk(Room(type(patient)(patient.models, patient.settings)))
        talk.send("detect", names=["jarvis"])
        talk.send("audio-start", **START)
        heard = []
        for start in range(0, len(twice), 1280):
            heard += talk.say(twice[start : start + 1280])
            talk.send("detect", names=["jarvis"])  # asking again does not end it
        assert len(heard) == count


WIDTHS = {
    1: lambda pcm: ((pcm >> 8) + 128).astype(np.uint8),
    2: lambda pcm: pcm,
    3: lambda pcm: (pcm.astype("<i4") << 8).view(np.uint8).reshape(-1, 4)[:, :3],
    4: lambda pcm: pcm.astype("<i4") << 16,
}


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("channels", [1, 2, 8])
def test_every_sample_format_is_accepted(room, rate, width, channels):
    said = speech("jarvis-rms")  # heard without its treble too
    mono = said if rate == 16_000 else soxr.resample(said, 16_000, rate)
    raw = WIDTHS[width](mono)
    raw = raw.reshape(len(mono), -1)
    others = np.random.default_rng(1).permutation(raw)  # what other channels carry
    raw = np.concatenate([raw, *[others] * (channels - 1)], axis=1)
    room.send("detect", names=["jarvis"])
    room.send("audio-start", rate=rate, width=width, channels=channels)
    heard = room.say(raw.tobytes(), rate, width, channels, size=rate // 10)
    heard += room.send("audio-stop")
    assert [event["type"] for event in heard] == ["detection"]


@pytest.mark.parametrize("width", [2, 3, 4])
def test_16_bits_of_any_width_are_the_same_samples(room, width):
    pcm = speech()
    room.send("audio-start", **START)
    plain = room.say(pcm)
    room.send("audio-start", rate=16_000, width=width, channels=1)
    assert room.say(WIDTHS[width](pcm).tobytes(), width=width) == plain


def test_a_change_of_rate_in_mid_stream(room):
    pcm = speech()
    room.send("audio-start", **START)
    half = len(pcm) // 3
    heard = room.say(pcm[:half])
    heard += room.say(soxr.resample(pcm[half:], 16_000, 48_000), rate=48_000)
    assert [event["type"] for event in heard] == ["detection"]


@pytest.mark.parametrize(
    "form",
    [
        {"rate": 0, "width": 2, "channels": 1},
        {"rate": -16_000, "width": 2, "channels": 1},
        {"rate": 10**9, "width": 2, "channels": 1},
        {"rate": 16_000, "width": 0, "channels": 1},
        {"rate": 16_000, "width": 5, "channels": 1},
        {"rate": 16_000, "width": 2, "channels": 0},
        {"rate": 16_000, "width": 2, "channels": 1000},
        {"rate": 16_000, "width": 2},
        {"rate": "16000", "width": 2, "channels": 1},
        {"rate": 16_000.5, "width": 2, "channels": 1},
    ],
    ids=str,
)
def test_an_invalid_format_gives_one_error(room, form):
    assert room.refused("audio-start", **form) in {"bad-audio", "bad-data"}
    for _ in range(5):
        assert room.send("audio-chunk", bytes(2560), **form) == []
    assert room.send("audio-stop") == []
    assert room.refused("audio-chunk", bytes(2560), **form) in {"bad-audio", "bad-data"}
    room.send("audio-start", **START)
    assert len(room.say(speech())) == 1


def test_a_truncated_payload_gives_one_error(room):
    room.send("audio-start", **START)
    assert room.refused("audio-chunk", bytes(2559), **START) == "bad-audio"
    assert room.say(speech()) == []
    room.send("audio-start", **START)
    assert len(room.say(speech())) == 1


frames = st.builds(
    Frame,
    st.sampled_from(["detect", "audio-start", "audio-chunk", "audio-stop", "describe", "ping", ""]),
    st.dictionaries(
        st.sampled_from(["rate", "width", "channels", "names", "timestamp", "context", "text"]),
        st.sampled_from([0, 1, 2, 3, 4, 8_000, 16_000, 48_000])
        | st.integers()
        | st.none()
        | st.text(max_size=5)
        | st.lists(st.sampled_from(["jarvis", "alexa", "hal"]), max_size=3),
    ),
    st.binary(max_size=48) | st.just(bytes(7680)),
)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(frames, max_size=20))
def test_the_next_stream_works_whatever_came_before(words, sent):
    room = Room(words)
    for frame in sent:
        with contextlib.suppress(ProtocolError):
            answer = room.take(frame)
            assert all(json.loads(line)["type"] for line in answer.splitlines())
    talk = Talk(room)
    talk.send("detect", names=["jarvis"])
    talk.send("audio-start", **START)
    assert [event["type"] for event in talk.say(speech(), size=16_000)] == ["detection"]


def test_audio_is_not_copied():
    """A whole frame is not copied: its payload is a view of what was received."""
    received = bytearray(b'{"type":"audio-chunk","payload_length":4}\nabcd')
    decoder = FrameDecoder()
    decoder.feed(received)
    payload = decoder.next_frame().payload
    received[-4:] = b"wxyz"
    assert bytes(payload) == b"wxyz"


def test_only_audio_faster_than_real_time_is_slowed():
    pace = Pace(0.0)
    assert all(pace.spend(0.08, now * 0.08) == 0 for now in range(1, 10_000))
    late = pace.spend(9.0, 10_000 * 0.08)
    assert late == 0  # what a network kept back comes at once
    pace, held = Pace(0.0), 0.0
    for _ in range(1000):
        held += pace.spend(1.0, held)
    assert held == pytest.approx(1000 - 10, rel=0.02)


def test_a_room_over_the_socket():
    with RunningRooms() as service, service.room() as room:
        info = room.ask("describe", answer="info")
        (program,) = info["wake"]
        assert [model["name"] for model in program["models"]] == ["jarvis", "alexa"]
        room.send("detect", {"names": ["jarvis"]})
        for _ in range(2):
            room.start()
            room.say(speech())
            room.send("audio-stop")
            assert [event["type"] for event in room.answers()] == ["detection"]
