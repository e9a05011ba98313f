"""The wake service's sockets: real clients, bad ones, and its end."""

import asyncio
import contextlib
import json
import logging
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
from support.daemon import PATIENCE, Daemon, recording, until, wakeword
from support.eventserver import Peer
from support.roomserver import (
    HOP_BYTES,
    RoomPeer,
    RunningRooms,
    Serve,
    detectors,
    free_port,
    speech,
)
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong
from wyoming.wake import Detect, Detection, NotDetected

from wakeword_daemon.errors import ConfigError, EventsError
from wakeword_daemon.events import sockets
from wakeword_daemon.events.framing import MAX_BYTES
from wakeword_daemon.rooms import addresses, announcement
from wakeword_daemon.rooms.connection import RoomLimits
from wakeword_daemon.rooms.server import RoomServer


@pytest.fixture
def service():
    with RunningRooms() as running:
        yield running


@pytest.mark.parametrize("transport", ["unix", "tcp"])
def test_the_wyoming_client_works(service, transport):
    uri = f"unix://{service.path}" if transport == "unix" else f"tcp://127.0.0.1:{service.port}"

    async def converse():
        async with AsyncClient.from_uri(uri, read_timeout=PATIENCE) as client:
            await client.write_event(Describe().event())
            (program,) = Info.from_event(await client.read_event()).wake
            assert [model.name for model in program.models] == ["jarvis", "alexa"]
            await client.write_event(Ping("there?").event())
            assert Pong.from_event(await client.read_event()).text == "there?"
            context = {"satellite": "kitchen"}
            # Less than ten seconds in all, so that nothing is held to real time.
            heard = speech(before=0.3, after=0.4)
            other = speech("other-slt", before=0, after=0)
            for pcm, kind in [(heard, Detection), (other, NotDetected)] * 2:
                await client.write_event(Detect(names=["jarvis"], context=context).event())
                await client.write_event(AudioStart(16_000, 2, 1).event())
                raw = pcm.tobytes()
                for start in range(0, len(raw), 2048):
                    chunk = AudioChunk(16_000, 2, 1, raw[start : start + 2048], timestamp=start)
                    await client.write_event(chunk.event())
                await client.write_event(AudioStop().event())
                event = await client.read_event()
                assert kind.is_type(event.type)
                assert kind.from_event(event).context == context
            await client.write_event(Ping("last").event())
            assert Pong.from_event(await client.read_event()).text == "last"

    asyncio.run(converse())


def test_a_bad_frame_is_an_error_and_the_next_one_is_answered(service):
    with service.room() as room:
        room.send_bytes(b"hello\n")
        assert room.expect("error")["code"] == "bad-frame"
        assert room.ask("ping", answer="pong") == {"text": None}


@pytest.mark.parametrize(
    "raw",
    [b"x" * (MAX_BYTES + 2), b'{"type":"audio-chunk","payload_length":1000000000000}\n'],
    ids=["line", "payload"],
)
def test_a_frame_that_is_too_large_ends_the_connection(service, raw):
    with service.room() as room:
        room.send_bytes(raw)
        assert room.expect("error")["code"] == "too-large"
        assert room.read() is None
    service.until_rooms(0)


def test_a_client_that_disappears_within_a_chunk_is_forgotten(service):
    room = service.room()
    room.start()
    room.send_bytes(b'{"type":"audio-chunk","payload_length":2560}\nabc')
    service.until_rooms(1)
    room.close()
    service.until_rooms(0)


def test_a_new_room_waits_only_for_a_few_others(service):
    go_on, taken = threading.Event(), 0
    asyncio.run_coroutine_threadsafe(_wait(go_on), service._loop)
    with contextlib.ExitStack() as waiting:
        for _ in range(1000):
            room = waiting.enter_context(socket.socket(socket.AF_UNIX))
            room.setblocking(False)
            try:
                room.connect(str(service.path))
                taken += 1
            except BlockingIOError:
                break
        go_on.set()
    assert 50 < taken < 80


async def _wait(go_on):
    """Block the event loop."""
    go_on.wait(PATIENCE)


def test_a_frame_that_never_ends_ends_the_connection():
    with RunningRooms(limits=RoomLimits(frame=0.5)) as service, service.room() as slow:
        slow.send_bytes(b'{"type":"ping"')
        assert slow.expect("error")["code"] == "timeout"
        assert slow.read() is None


def test_a_room_that_does_not_read_is_disconnected():
    with RunningRooms(limits=RoomLimits(stall=0.5)) as service, service.room() as deaf:
        deaf.socket.settimeout(0.2)
        with contextlib.suppress(OSError):  # it blocks, because nothing more is read
            for _ in range(20_000):
                deaf.send_bytes(b'{"type":"describe"}\n' * 50)
            pytest.fail("20 MB of requests were taken from a room that does not read")
        service.until_rooms(0)


def test_connections_over_the_limit_are_refused():
    with RunningRooms(limits=RoomLimits(connections=2)) as service:
        rooms = [service.room() for _ in range(2)]
        for room in rooms:
            room.ask("ping", answer="pong")
        with service.room() as third:
            assert third.expect("error")["code"] == "busy"
            assert third.read() is None
        rooms[0].close()
        service.until_rooms(1)
        with service.room() as third:
            third.ask("ping", answer="pong")
        rooms[1].close()


def test_a_flood_is_slowed_to_real_time(service):
    """Of two minutes sent at once, what cannot be taken yet stays with the sender."""
    with service.room() as flood:
        flood.socket.setblocking(False)
        flood.form = {"rate": 16_000, "width": 2, "channels": 1}
        began, sent = time.monotonic(), 0
        frames = bytearray()
        while sent < 120 and time.monotonic() < began + 3:
            if not frames:
                frames += flood.frame(bytes(HOP_BYTES))
                sent += 0.08
            try:
                del frames[: flood.socket.send(frames)]
            except BlockingIOError:
                time.sleep(0.01)
        kept = 20  # seconds of audio in the kernel's buffers, at most
        assert sent < 10 + 1.01 * (time.monotonic() - began) + kept


def test_words_are_detected_while_others_flood_or_stall(service):
    floods = [service.room() for _ in range(5)]
    slow = [service.room() for _ in range(100)]
    for room in floods:
        room.start()
        room.socket.setblocking(False)
    for room in slow:
        room.send_bytes(b'{"typ')
    pcm = speech()
    with service.room() as room:
        room.start()
        for start in range(0, len(pcm), 1280):
            room.say(pcm[start : start + 1280])
            for flood in floods:
                try:
                    flood.chunk(bytes(HOP_BYTES))
                except BlockingIOError:
                    floods.remove(flood)
        assert [event["type"] for event in room.answers()] == ["detection"]
    for other in (*floods, *slow):
        other.close()


@pytest.mark.parametrize(
    "uri", ["", "tcp://", "tcp://host", "tcp://h:99999", "ws://h:1", "unix://"]
)
def test_an_invalid_uri_is_refused(uri):
    with pytest.raises(ConfigError, match="write tcp://0"):
        addresses.parse_uri(uri)


def test_the_network_is_allowed_only_on_request(caplog):
    with pytest.raises(EventsError, match="--allow-lan"):
        addresses.listen(("0.0.0.0", 0), allow_lan=False)  # noqa: S104
    with pytest.raises(EventsError, match="whole internet"):
        addresses.listen(("8.8.8.8", 0), allow_lan=True)
    with caplog.at_level(logging.WARNING):
        sockets.close(addresses.listen(("127.0.0.1", 0), allow_lan=True))
        assert not caplog.text
        sockets.close(addresses.listen(("0.0.0.0", 0), allow_lan=True))  # noqa: S104
        assert "tcp://0.0.0.0:" in caplog.text
        assert "without a password" in caplog.text


@pytest.mark.parametrize(
    ("peer", "allowed"),
    [
        ("127.0.0.1", True),
        ("192.168.1.7", True),
        ("100.64.0.1", True),
        ("fe80::1%eth0", True),
        ("::ffff:10.0.0.1", True),
        ("8.8.8.8", False),
        ("::ffff:8.8.8.8", False),
        ("2606:4700::1111", False),
    ],
)
def test_only_private_peers_may_connect(peer, allowed):
    class Connection:
        family = socket.AF_INET6

        def getpeername(self):
            return (peer, 1)

    assert addresses.may_connect(Connection()) is allowed


@pytest.mark.slow
def test_memory_stays_flat_over_reconnections():
    """Each connection hears a word's worth of audio with a detector of its own, and leaves."""

    def come_and_go(serve, times):
        for _ in range(times):
            with RoomPeer(serve.path) as room:
                room.start()
                room.say(bytes(4 * HOP_BYTES))
                room.ask("ping", answer="pong")
                room.send_bytes(b'{"type":"audio-chunk","payload_length":256')
        lines = Path(f"/proc/{serve.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

    with Serve() as serve:
        before = come_and_go(serve, 500)
        assert come_and_go(serve, 1500) - before < 1024


@pytest.mark.slow
def test_a_stream_is_served_to_its_end_when_the_service_is_told_to_stop():
    with Serve("--drain", "20") as serve, RoomPeer(serve.path) as room, Peer(serve.path) as idle:
        pcm = speech()
        room.start()
        room.say(pcm[:16_000])
        room.ask("ping", answer="pong")
        idle.ask("ping", answer="pong")
        serve.process.send_signal(signal.SIGTERM)
        assert idle.read() is None  # a room without a stream is disconnected at once
        assert not serve.path.exists()
        with pytest.raises(OSError):  # noqa: PT011 -- nobody is let in any more
            Peer(serve.path)
        room.say(pcm[16_000:])
        assert room.expect("detection")["name"] == "jarvis"
        room.send("audio-stop")
        assert room.read() is None
        assert serve.process.wait(PATIENCE) == 0


@pytest.mark.slow
def test_a_peer_that_is_just_being_accepted_does_not_wait_for_the_end_of_the_drain(tmp_path):
    async def stop_in_that_turn():
        path = tmp_path / "wake.sock"
        server = RoomServer(detectors(["jarvis"]))
        await server.start([path])
        with socket.socket(socket.AF_UNIX) as streaming, socket.socket(socket.AF_UNIX) as peer:
            streaming.connect(str(path))
            streaming.sendall(
                b'{"type": "audio-start", "data": {"rate": 16000, "width": 2, "channels": 1}}\n'
            )
            while not server.connections or next(iter(server._connections)).idle:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            peer.connect(str(path))
            await asyncio.sleep(0)  # this turn accepts the peer, after what follows here
            assert server.connections == 1
            stopping = asyncio.create_task(server.stop(drain=PATIENCE))
            peer.setblocking(False)
            assert await asyncio.get_running_loop().sock_recv(peer, 1) == b""
            assert not stopping.done()
        await stopping

    asyncio.run(asyncio.wait_for(stop_in_that_turn(), PATIENCE))


def test_a_second_signal_stops_the_service_at_once():
    with Serve("--drain", "600") as serve, RoomPeer(serve.path) as room:
        room.start()
        room.ask("ping", answer="pong")
        serve.process.send_signal(signal.SIGTERM)
        until(lambda: not serve.path.exists(), "the end of listening")
        serve.process.send_signal(signal.SIGINT)
        assert serve.process.wait(PATIENCE) == 0


def test_one_room_can_use_standard_input_and_output():
    lines = [b'{"type":"describe"}\n', b'{"type":"detect","data":{"names":["jarvis"]}}\n']
    raw = speech().tobytes()
    for start in range(0, len(raw), 4096):
        payload = raw[start : start + 4096]
        form = b'{"rate":16000,"width":2,"channels":1}'
        lines.append(
            b'{"type":"audio-chunk","data":%s,"payload_length":%d}\n' % (form, len(payload))
        )
        lines.append(payload)
    done = wakeword(
        "serve", "--uri", "stdio://", "--word", "jarvis", input=b"".join(lines), text=False
    )
    assert done.returncode == 0, done.stderr
    kinds = [json.loads(line)["type"] for line in done.stdout.splitlines()]
    assert kinds == ["info", "detection"]


def test_serving_on_the_network_by_mistake_is_refused_in_a_sentence():
    done = wakeword("serve", "--uri", "tcp://0.0.0.0:10400")
    assert done.returncode == 1
    assert done.stderr.startswith("wakeword: listening on 0.0.0.0 lets everyone")
    assert done.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_one_sentence():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = wakeword("serve", "--uri", f"tcp://127.0.0.1:{port}")
    assert done.returncode == 1
    assert done.stderr == (
        f"wakeword: cannot listen on 127.0.0.1 port {port}: another program has it; choose another"
        " one\n"
    )


@pytest.mark.slow
def test_the_daemon_serves_rooms_beside_its_own_microphone(tmp_path):
    path = tmp_path / "wake.sock"
    (tmp_path / "config.yaml").write_text(f"rooms: {{uri: 'unix://{path}'}}")
    recording(tmp_path / "own.wav", 60.0)
    with Daemon("--config", tmp_path / "config.yaml", "--input", tmp_path / "own.wav") as daemon:
        daemon.notified("READY")
        with RoomPeer(path) as room:
            room.send("detect", {"names": ["jarvis"]})
            room.start()
            room.say(speech())
            assert [event["type"] for event in room.answers()] == ["detection"]
            assert daemon.status()["last_detection"] is None  # the microphone heard nothing
        code = daemon.stop()
    assert code == 0
    assert not path.exists()


@contextlib.contextmanager
def announced(zeroconf, name, process):
    """Find a service on the network by its name; yield its description."""
    browser = zeroconf.Zeroconf()
    try:
        full = f"{name}._wyoming._tcp.local."
        asked = ("_wyoming._tcp.local.", full)
        found = until(lambda: process.poll() or browser.get_service_info(*asked, timeout=1000))
        assert process.poll() is None
        yield found
    finally:
        browser.close()


@pytest.mark.slow
def test_zeroconf_announces_a_reachable_address():
    zeroconf = pytest.importorskip("zeroconf", reason="zeroconf is not installed")
    port = free_port()
    uri = ("--uri", f"tcp://0.0.0.0:{port}")
    with (
        Serve(*uri, "--allow-lan", "--zeroconf", "kitchen") as serve,
        announced(zeroconf, "kitchen", serve.process) as found,
    ):
        assert found.port == port
        assert found.parsed_addresses()
        for address in found.parsed_addresses():
            with Peer((address, port)) as peer:
                peer.ask("ping", answer="pong")


@pytest.mark.slow
def test_the_daemon_announces_the_rooms_that_it_serves(tmp_path):
    zeroconf = pytest.importorskip("zeroconf", reason="zeroconf is not installed")
    rooms = {"uri": f"tcp://0.0.0.0:{free_port()}", "allow_lan": True, "zeroconf": "attic"}
    (tmp_path / "config.yaml").write_text(json.dumps({"rooms": rooms}))
    recording(tmp_path / "own.wav", 60.0)
    with Daemon("--config", tmp_path / "config.yaml", "--input", tmp_path / "own.wav") as daemon:
        daemon.notified("READY")
        with announced(zeroconf, "attic", daemon.process) as found:
            assert rooms["uri"].endswith(f":{found.port}")
            assert daemon.stop() == 0
        assert "announced as “attic” on " in daemon.log


def test_a_network_that_comes_up_later_is_announced(monkeypatch, caplog):
    pytest.importorskip("zeroconf", reason="zeroconf is not installed")
    own = announcement.reachable(["0.0.0.0"])  # noqa: S104
    if not own:
        pytest.skip("this machine has no network")
    monkeypatch.setattr(announcement, "_LOOK", 0.05)
    machine, found = announcement._machine, []
    monkeypatch.setattr(announcement, "_machine", lambda: found)

    async def logged(sentence):
        end = time.monotonic() + PATIENCE
        while sentence not in caplog.text and time.monotonic() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert sentence in caplog.text

    async def come_up():
        server = RoomServer(detectors(["jarvis"]))
        await server.start([("0.0.0.0", 0)], allow_lan=True, zeroconf="cellar")  # noqa: S104
        try:
            await logged("this machine has no network")
            found.extend(machine())
            await logged("announced as “cellar” on " + own[0])
        finally:
            await server.stop()

    with caplog.at_level(logging.INFO):
        asyncio.run(come_up())


def test_an_unreachable_service_is_not_announced():
    done = wakeword("serve", "--uri", "tcp://127.0.0.1:0", "--zeroconf")
    assert done.returncode == 1
    assert "nobody else can reach 127.0.0.1" in done.stderr
    assert done.stderr.count("\n") == 1
