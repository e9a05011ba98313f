"""The reference implementation of the protocol works with our socket."""

import asyncio

import numpy as np
from support.eventserver import RunningServer, detection
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong
from wyoming.wake import Detect, Detection

from wakeword_daemon.audio.ring import RingBuffer
from wakeword_daemon.events.sockets import Tcp


def converse(conversation, **options):
    with RunningServer(**options) as server:

        async def run():
            address = server.server.addresses[-1]
            uri = address if address.startswith("tcp") else f"unix://{address}"
            async with AsyncClient.from_uri(uri, read_timeout=120) as client:
                await conversation(client, server)

        asyncio.run(run())


def test_describe():
    async def conversation(client, _server):
        await client.write_event(Describe().event())
        (program,) = Info.from_event(await client.read_event()).wake
        assert [model.name for model in program.models] == ["jarvis", "alexa"]
        assert program.installed
        assert program.attribution.name == "the tests"
        assert program.models[0].phrase == "jarvis"
        assert program.models[0].languages == ["en"]

    converse(conversation)


def test_info_is_sent_once_and_only_on_request():
    """What is written at once on connecting is answered once; nothing else is in between."""

    async def conversation(client, _server):
        for _ in range(2):
            await client.write_event(Describe().event())
            await client.write_event(Ping().event())
            assert Info.is_type((await client.read_event()).type)
            assert Pong.is_type((await client.read_event()).type)

    converse(conversation)


def test_ping():
    async def conversation(client, _server):
        await client.write_event(Ping(text="are you there?").event())
        assert Pong.from_event(await client.read_event()).text == "are you there?"

    converse(conversation)


def test_detection():
    async def conversation(client, server):
        await client.write_event(Detect(names=["alexa"]).event())
        await client.write_event(Ping().event())
        await client.read_event()
        server.publish(detection("jarvis"), detection("alexa", sample=24_000))
        event = await client.read_event()
        assert Detection.is_type(event.type)
        heard = Detection.from_event(event)
        assert (heard.name, heard.timestamp, heard.speaker) == ("alexa", 1500, None)
        assert event.data["score"] == 0.97

    converse(conversation)


def test_an_unknown_word_is_an_error_and_then_silence():
    async def conversation(client, server):
        await client.write_event(Detect(names=["sheila"]).event())
        assert Error.from_event(await client.read_event()).code == "unknown-word"
        server.publish(detection("jarvis"), detection("alexa"))
        await client.write_event(Ping().event())
        assert Pong.is_type((await client.read_event()).type)

    converse(conversation)


def test_audio_is_refused_and_the_connection_stays():
    async def conversation(client, _server):
        audio = {"rate": 16_000, "width": 2, "channels": 1}
        await client.write_event(AudioStart(**audio).event())
        await client.write_event(AudioChunk(**audio, audio=b"\n" * 2048).event())
        for _ in range(2):
            error = Error.from_event(await client.read_event())
            assert error.code == "no-audio"
            assert "own microphone" in error.text
        await client.write_event(Ping(text="still here").event())
        assert Pong.from_event(await client.read_event()).text == "still here"

    converse(conversation)


def test_audio_after_a_word_follows_wyoming():
    ring = RingBuffer(10)
    pcm = np.random.default_rng(3).integers(-9_000, 9_000, 3 * 16_000).astype(np.int16)

    async def conversation(client, server):
        await client.write_event(Event("subscribe", {"audio": "after", "seconds": 1.0}))
        assert (await client.read_event()).type == "subscribed"
        ring.write(pcm[:16_000])
        server.publish(detection(sample=16_000))
        ring.write(pcm[16_000:])
        assert Detection.is_type((await client.read_event()).type)
        start = AudioStart.from_event(await client.read_event())
        assert (start.rate, start.width, start.channels, start.timestamp) == (16_000, 2, 1, 1_000)
        heard = b""
        while AudioChunk.is_type((event := await client.read_event()).type):
            heard += AudioChunk.from_event(event).audio
        assert AudioStop.is_type(event.type)
        assert AudioStop.from_event(event).timestamp == 2_000
        assert heard == pcm[16_000:32_000].tobytes()

    converse(conversation, audio=ring)


def test_tcp():
    async def conversation(client, server):
        await client.write_event(Ping().event())
        await client.read_event()
        server.publish(detection())
        assert Detection.from_event(await client.read_event()).name == "jarvis"

    converse(conversation, tcp=Tcp(port=0))
