"""Frames are cut from any stream of bytes, within caps, and events keep their fields."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.eventserver import detection, info

from wakeword_daemon.events.framing import MAX_BYTES, Frame, FrameDecoder, ProtocolError, encode
from wakeword_daemon.events.protocol import (
    AudioChunk,
    AudioStart,
    AudioStop,
    CaptureCounters,
    Detect,
    Detection,
    Info,
    Pause,
    Ping,
    SetThreshold,
    StateChanged,
    Status,
    Subscribe,
    Subscribed,
    Subscriber,
    Telemetry,
    ThresholdSet,
    Watch,
)

CHECKOUT = Path(__file__).resolve().parents[1]


def frames(raw):
    decoder = FrameDecoder()
    decoder.feed(raw)
    return list(iter(decoder.next_frame, None))


def refused(raw):
    with pytest.raises(ProtocolError) as caught:
        frames(raw)
    return caught.value


def test_a_line_is_a_frame():
    assert frames(b'{"type": "ping", "data": {"text": "hi"}}\n') == [Frame("ping", {"text": "hi"})]
    assert frames(b'{"type": "describe", "version": "1.8"}\n') == [Frame("describe")]


def test_a_data_block_is_merged_over_the_inline_data():
    header = {"type": "x", "data": {"a": 1, "b": 1}, "data_length": 16}
    raw = json.dumps(header).encode() + b'\n{"b": 2, "c": 3}'
    assert frames(raw + b'{"type":"y"}\n') == [Frame("x", {"a": 1, "b": 2, "c": 3}), Frame("y")]


def test_a_payload_may_hold_any_bytes():
    payload = b'{"type": "ping"}\n\x00\xff'
    raw = json.dumps({"type": "audio-chunk", "payload_length": len(payload)}).encode() + b"\n"
    assert frames(raw + payload + b'{"type":"y"}\n') == [
        Frame("audio-chunk", {}, payload),
        Frame("y"),
    ]


def test_null_lengths_are_ignored():
    assert frames(b'{"type":"x","data":null,"data_length":null,"payload_length":null}\n') == [
        Frame("x")
    ]


# However slow the machine, only what is received decides.
unhurried = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
any_frame = st.builds(
    Frame, st.text(max_size=12), st.dictionaries(st.text(max_size=6), json_values), st.binary()
)


@unhurried
@given(st.lists(any_frame, max_size=5), st.booleans(), st.data())
def test_frames_do_not_depend_on_the_split_of_the_stream(sent, inline, data):
    raw = b""
    for frame in sent:
        header = {"type": frame.type, "payload_length": len(frame.payload)}
        block = b""
        if inline:
            header["data"] = frame.data
        else:
            block = json.dumps(frame.data).encode()
            header["data_length"] = len(block)
        raw += json.dumps(header).encode() + b"\n" + block + frame.payload
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=20)))
    decoder, received = FrameDecoder(), []
    for start, stop in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        decoder.feed(raw[start:stop])
        received += iter(decoder.next_frame, None)
    assert received == sent
    assert not decoder.incomplete


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"hello",
        b"[]",
        b"{}",
        b'{"type": 5}',
        b'{"type": "x", "data": []}',
        b'{"type": "\xff"}',
        b'{"type": "x"',
        b"[" * 50_000,
        b'{"a":' * 10_000,
        b'{"type": "x", "data_length": 3}\n[1]',
        b'{"type": "x", "data_length": 2, "payload_length": 4}\n{]{"a}',
    ],
)
def test_a_bad_frame_is_skipped(line):
    decoder = FrameDecoder()
    end = b"" if b"\n" in line else b"\n"
    decoder.feed(line + end + b'{"type":"ping"}\n')
    with pytest.raises(ProtocolError) as caught:
        decoder.next_frame()
    assert (caught.value.code, caught.value.fatal) == ("bad-frame", False)
    assert decoder.next_frame() == Frame("ping")


@pytest.mark.parametrize("key", ["data_length", "payload_length"])
@pytest.mark.parametrize(
    ("length", "code"),
    [
        ("-1", "bad-frame"),
        ("true", "bad-frame"),
        ("1.5", "bad-frame"),
        ('"9"', "bad-frame"),
        (str(MAX_BYTES + 1), "too-large"),
        ("9" * 40, "too-large"),
    ],
)
def test_an_invalid_length_is_fatal(key, length, code):
    error = refused(f'{{"type": "x", "{key}": {length}}}\n'.encode())
    assert (error.code, error.fatal) == (code, True)


def test_each_part_may_be_as_long_as_its_cap():
    line = b'{"type":"x","payload_length":%d,"data_length":%d,"data":{"a":"%s"}}'
    block = b'{"b":"' + b"b" * (MAX_BYTES - 8) + b'"}'
    room = MAX_BYTES - len(line % (MAX_BYTES, MAX_BYTES, b""))
    raw = line % (MAX_BYTES, MAX_BYTES, b"a" * room) + b"\n" + block + bytes(MAX_BYTES)
    (frame,) = frames(raw)
    assert len(frame.data["a"]) == room
    assert len(frame.data["b"]) == MAX_BYTES - 8
    assert len(frame.payload) == MAX_BYTES


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_over_the_cap_is_fatal(end):
    error = refused(b'{"type":"' + b"x" * MAX_BYTES + end)
    assert (error.code, error.fatal) == ("too-large", True)


@unhurried
@given(st.lists(st.binary(max_size=300), max_size=30))
def test_garbage_only_raises_protocol_errors(chunks):
    decoder = FrameDecoder()
    for chunk in chunks:
        decoder.feed(chunk)
        while True:
            try:
                if decoder.next_frame() is None:
                    break
            except ProtocolError as error:
                if error.fatal:
                    return


def test_an_event_is_one_line_with_its_data_inline():
    line = detection("jarvis\nalexa").line()
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    event = json.loads(line)
    assert event["type"] == "detection"
    assert event["data"]["name"] == "jarvis\nalexa"
    assert set(event) == {"type", "data"}


state = StateChanged(state="deaf", reason="unplugged", device="mic", rate=48_000, wall_time=1.5)


@pytest.mark.parametrize(
    "event", [detection(), state, info(), Ping(text="é"), Detect(names=["a"]), Subscribe()]
)
def test_events_are_decoded_as_they_were_encoded(event):
    (frame,) = frames(event.line())
    assert frame.type == event.kind
    assert type(event).from_frame(frame) == event


def test_fields_from_a_newer_version_are_skipped():
    frame = Frame("ping", {"text": "hi", "mood": "good"})
    assert Ping.from_frame(frame) == Ping(text="hi")


@pytest.mark.parametrize(
    ("event", "data", "field"),
    [
        (Detection, {"name": "jarvis"}, "timestamp"),
        (Ping, {"text": 5}, "text"),
        (Detect, {"names": "jarvis"}, "names"),
        (Detect, {"names": [1]}, "names"),
        (Subscribe, {"after_sequence": -1}, "after_sequence"),
        (Info, {"wake": [{}], "state": "listening"}, "wake"),
    ],
)
def test_a_wrong_field_is_named(event, data, field):
    with pytest.raises(ProtocolError, match=field) as caught:
        event.from_frame(Frame(event.kind, data))
    assert caught.value.code == "bad-data"
    assert not caught.value.fatal


def test_any_mapping_or_struct_can_be_data():
    assert frames(encode("status", {"state": "listening"})) == [
        Frame("status", {"state": "listening"})
    ]
    assert frames(encode("status", Ping(text="x"))) == [Frame("status", {"text": "x"})]


@pytest.mark.parametrize(
    "struct",
    [
        *(Detection, StateChanged, Status, Subscribe, Subscribed, Subscriber, CaptureCounters),
        *(AudioStart, AudioChunk, AudioStop),
        *(Telemetry, Watch, Pause, SetThreshold, ThresholdSet),
    ],
)
def test_the_protocol_page_names_every_field(struct):
    reference = (CHECKOUT / "docs/protocol.md").read_text()
    assert [name for name in struct.__struct_fields__ if f"`{name}`" not in reference] == []


def test_the_protocol_page_names_every_error_code():
    sources = (CHECKOUT / "wakeword_daemon/events").glob("*.py")
    code = "".join(path.read_text() for path in sources)
    used = set(re.findall(r'ProtocolError\(\s*"([a-z-]+)"|code="([a-z-]+)"', code))
    used = {either for pair in used for either in pair if either}
    table = (CHECKOUT / "docs/protocol.md").read_text().partition("| code |")[2]
    assert used == set(re.findall(r"^\| `([a-z-]+)` \|", table.partition("## ")[0], re.MULTILINE))
    assert "unknown-word" in used
