"""Whatever bytes a peer sends, the server answers or ends that connection, and keeps running."""

import json
import random

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.eventserver import Peer, RunningServer, detection

from wakeword_daemon.audio.ring import RingBuffer
from wakeword_daemon.events.session import Limits

ANSWERS = {"info", "pong", "status", "subscribed", "error", "detection"}
ANSWERS |= {"audio-start", "audio-chunk", "audio-stop"}

REQUESTS = ["describe", "ping", "status", "detect", "subscribe", "authenticate", "audio-chunk"]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)
fields = st.sampled_from(
    [
        "text",
        "names",
        "start_id",
        "after_sequence",
        "token",
        "rate",
        "audio",
        "pre_roll_ms",
        "seconds",
        "until_silence",
    ]
)
headers = st.fixed_dictionaries(
    {"type": st.sampled_from(REQUESTS) | json_values},
    optional={
        "data": st.dictionaries(fields, json_values) | json_values,
        "data_length": st.integers(-2, 40) | st.integers() | json_values,
        "payload_length": st.integers(-2, 40) | st.integers() | json_values,
        "version": json_values,
    },
)
pieces = (
    headers.map(lambda header: json.dumps(header).encode() + b"\n")
    | st.binary(max_size=60)
    | st.just(b"\n")
    | st.just(b'{"a": "' + b"x" * 70_000)
)


@pytest.fixture(scope="module")
def server():
    ring = RingBuffer(2)
    ring.write(np.ones(30_000, np.int16))
    with RunningServer(limits=Limits(history=8), audio=ring) as running:
        running.publish(*[detection()] * 20)
        yield running


def read_to_the_end(peer):
    peer.socket.shutdown(1)
    answers = []
    while (event := peer.read()) is not None:
        answers.append(event)
    return answers


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(pieces, max_size=8))
@example([b'{"type": "ping", "data": {"text": "\\ud800"}}\n'])
@example([b'{"type": "subscribe", "data": {"after_sequence": 1e308}}\n'])
@example([b'{"type": "subscribe", "data": {"audio": "always", "pre_roll_ms": 60000}}\n'])
@example([b'{"type": "subscribe", "data": {"audio": "after", "seconds": 1e999}}\n'])
@example([b'{"type": "detect", "data": {"names": ["' + b"x" * 60_000 + b'"]}}\n'])
def test_the_server_survives_any_bytes(server, sent):
    with Peer(server.path) as peer:
        try:
            peer.send_bytes(b"".join(sent))
            answers = read_to_the_end(peer)
        except OSError:
            answers = []  # the server ended the connection before it had read everything
        assert {answer["type"] for answer in answers} <= ANSWERS
    with server.connect() as peer:
        peer.ask("ping", answer="pong")


def test_the_server_survives_thousands_of_garbage_frames(server, caplog):
    chance = random.Random(2)  # noqa: S311
    good = [b'{"type": "%s", "data": {}}\n' % kind.encode() for kind in REQUESTS]
    with server.connect() as peer:
        for _ in range(300):
            lines = []
            for _ in range(10):
                line = bytearray(chance.choice(good))
                for _ in range(chance.randrange(4)):
                    line[chance.randrange(len(line) - 1)] = chance.choice(b' {}[]":,\\0x\x00\xff')
                lines.append(bytes(line))
            peer.send_bytes(b"".join(lines) + b'{"type": "ping", "data": {"text": "over"}}\n')
            while (event := peer.read()) != {"type": "pong", "data": {"text": "over"}}:
                assert event is not None
                assert event["type"] in ANSWERS
    assert not caplog.records  # and the log is not flooded
