"""Of several rooms that hear the same word, the nearest one fires."""

import asyncio
import json

import numpy as np
import pytest
from support.daemon import PATIENCE, Daemon, recording
from support.roomserver import RoomPeer, RunningRooms, Serve, detectors, speech
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.wake import Detect, Detection

from wakeword_daemon.engine import WordSettings

FOR_EVER = PATIENCE  # nobody waits so long where all rooms have heard the word


def heard_in(*, gain=1.0, noise=30.0, seed=0):
    """Return what a microphone records in whose room there is some noise."""
    pcm = gain * speech(before=2.0) + np.random.default_rng(seed).normal(
        0, noise, len(speech()) + 24_000
    )
    return np.clip(pcm, -32_768, 32_767).astype(np.int16)


def patient(refractory):
    """Return detectors of a word that is not reported again for so many seconds."""
    made = detectors(["jarvis"])
    made.settings["jarvis"] = WordSettings(refractory=refractory)
    return made


async def satellite(uri, pcm, name):
    """Send audio by Wyoming's own client; return the first answer that is about a word."""
    async with AsyncClient.from_uri(uri, read_timeout=PATIENCE) as client:
        await client.write_event(Detect(names=["jarvis"], context={"room": name}).event())
        await client.write_event(AudioStart(16_000, 2, 1).event())
        raw = pcm.tobytes()
        for start in range(0, len(raw), 2048):
            await client.write_event(AudioChunk(16_000, 2, 1, raw[start : start + 2048]).event())
            await asyncio.sleep(0)
        await client.write_event(AudioStop().event())
        return await client.read_event()


def converse(uri, rooms):
    """Let all rooms hear at the same time; return each one's answer."""

    async def everybody():
        return await asyncio.gather(*(satellite(uri, pcm, name) for name, pcm in rooms.items()))

    return dict(zip(rooms, asyncio.run(everybody()), strict=True))


ROOMS = {
    "the loudest": {
        "hall": heard_in(gain=0.1, seed=1),
        "kitchen": heard_in(seed=2),
        "attic": heard_in(gain=0.3, seed=3),
    },
    "the loudest above its own noise": {
        "workshop": heard_in(gain=1.0, noise=300, seed=4),
        "kitchen": heard_in(gain=0.5, noise=15, seed=5),
        "hall": heard_in(gain=0.1, noise=15, seed=6),
    },
}


@pytest.mark.parametrize("rooms", ROOMS.values(), ids=ROOMS)
def test_the_nearest_of_three_rooms_fires_and_the_others_are_informed(rooms):
    with RunningRooms(nearest=FOR_EVER) as service:
        answers = converse(f"tcp://127.0.0.1:{service.port}", rooms)
    assert {name for name, event in answers.items() if Detection.is_type(event.type)} == {"kitchen"}
    assert {event.type for event in answers.values()} == {"detection", "detected-elsewhere"}
    for name, event in answers.items():
        assert event.data["context"] == {"room": name}
        assert Detection.from_event(event).name == "jarvis"
    above = {name: event.data["above_noise"] for name, event in answers.items()}
    assert max(above, key=above.get) == "kitchen"


def test_by_default_every_room_fires():
    with RunningRooms() as service:
        answers = converse(f"tcp://127.0.0.1:{service.port}", ROOMS["the loudest"])
    assert {event.type for event in answers.values()} == {"detection"}
    assert all("above_noise" not in event.data for event in answers.values())


def listening(service, words=("jarvis",)):
    """Return a room that has begun to send audio."""
    room = service.room()
    room.send("detect", {"names": list(words)})
    room.start()
    room.say(heard_in(gain=0)[:16_000])
    assert room.answers() == []
    return room


def test_a_room_alone_fires_when_it_has_waited():
    with RunningRooms(nearest=0.1) as service, listening(service) as quiet:
        with listening(service) as room:
            room.say(heard_in())
            assert room.expect("detection")["above_noise"] > 20
            assert room.answers() == []
        assert quiet.answers() == []


def test_rooms_with_other_words_are_not_awaited():
    with (
        RunningRooms(nearest=FOR_EVER) as service,
        listening(service, ["alexa"]) as other,
        listening(service) as stopped,
        service.room() as idle,
        listening(service) as room,
    ):
        stopped.send("audio-stop")
        stopped.expect("not-detected")
        idle.ask("ping", answer="pong")
        room.say(heard_in())
        room.expect("detection")
        assert other.answers() == []


@pytest.mark.parametrize(
    ("refractory", "answer"), [(60.0, "detected-elsewhere"), (0.0, "detection")]
)
def test_a_room_that_hears_the_word_late_is_informed(refractory, answer):
    with (
        RunningRooms(nearest=0.05, detectors=patient(refractory)) as service,
        listening(service) as late,
        listening(service) as room,
    ):
        room.say(heard_in(gain=0.3))
        room.expect("detection")
        late.say(heard_in())
        late.expect(answer)


def test_a_room_that_has_left_does_not_win():
    with RunningRooms(nearest=1.0) as service, listening(service) as quiet:
        loud, room = listening(service), listening(service)
        loud.say(heard_in())
        assert loud.answers() == []
        loud.close()
        service.until_rooms(2)
        room.say(heard_in(gain=0.1))
        room.expect("detection")
        room.close()
        assert quiet.answers() == []


def test_a_stream_that_ends_before_the_decision_gets_its_answer():
    with RunningRooms(nearest=0.5) as service, listening(service), listening(service) as room:
        room.say(heard_in())
        room.send("audio-stop")
        room.expect("detection")
        assert room.answers() == []


@pytest.mark.slow
def test_rooms_beside_the_daemons_microphone(tmp_path):
    path = tmp_path / "wake.sock"
    rooms = {"uri": f"unix://{path}", "nearest": 2.0}
    (tmp_path / "config.yaml").write_text(json.dumps({"rooms": rooms}))
    recording(tmp_path / "own.wav", 60.0)
    with Daemon("--config", tmp_path / "config.yaml", "--input", tmp_path / "own.wav") as daemon:
        daemon.notified("READY")
        answers = converse(f"unix://{path}", ROOMS["the loudest"])
    assert {name for name, event in answers.items() if Detection.is_type(event.type)} == {"kitchen"}


@pytest.mark.slow
def test_nearest_works_with_the_command():
    with (
        Serve("--nearest", f"{FOR_EVER}") as serve,
        RoomPeer(serve.path) as near,
        RoomPeer(serve.path) as far,
    ):
        for room in (near, far):
            room.start()
            room.say(heard_in()[:16_000])
            assert room.answers() == []
        far.say(heard_in(gain=0.2))
        assert far.answers() == []
        near.say(heard_in())
        near.expect("detection")
        far.expect("detected-elsewhere")
