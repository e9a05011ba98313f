"""Who may connect, what is answered, who gets which events, and how abuse is handled."""

import asyncio
import contextlib
import gc
import grp
import json
import logging
import os
import socket
import stat
import struct
import threading
import time
from pathlib import Path

import pytest
from support.eventserver import PATIENCE, Peer, RunningServer, detection, info, status

from wakeword_daemon.errors import EventsError
from wakeword_daemon.events.framing import MAX_BYTES
from wakeword_daemon.events.protocol import StateChanged
from wakeword_daemon.events.server import EventServer
from wakeword_daemon.events.session import Limits
from wakeword_daemon.events.sockets import Tcp

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def numbers(peer, count):
    return [peer.expect("detection")["sequence"] for _ in range(count)]


# What a connection receives


def test_a_peer_receives_everything_after_connecting(server):
    server.publish(detection())
    with server.connect() as peer:
        info = peer.ask("describe", answer="info")
        assert [model["name"] for model in info["wake"][0]["models"]] == ["jarvis", "alexa"]
        assert info["sequence"] == 1
        heard = detection("alexa", sample=32_000)
        server.publish(
            heard, StateChanged(state="deaf", reason="unplugged", device="mic", wall_time=1.5)
        )
        told = peer.expect("detection")
        assert told["start_id"] == info["start_id"]
        assert told["sequence"] == 2
        assert told["timestamp"] == 2000
        assert told["speaker"] is None
        for field in ("name", "wall_time", "score", "sample", "level", "model"):
            assert told[field] == getattr(heard, field)
        state = peer.expect("state")
        assert (state["state"], state["reason"], state["sequence"]) == ("deaf", "unplugged", 3)


def test_requests_are_answered():
    now = {"state": "degraded", "hops": 12}
    with RunningServer(status=lambda: status(**now)) as server, server.connect() as peer:
        assert peer.ask("describe", answer="info")["state"] == "listening"
        assert peer.ask("ping", {"text": "é"}, answer="pong") == {"text": "é"}
        assert peer.ask("ping", answer="pong") == {"text": None}
        told = peer.ask("status", answer="status")
        assert (told["state"], told["hops"], told["rate"]) == ("degraded", 12, None)
        assert (told["sequence"], told["start_id"]) == (0, server.server.start_id)
        (asking,) = told["subscribers"]
        assert asking["peer"].startswith(f"process {os.getpid()} (")
        now["hops"] = 13
        assert peer.ask("status", answer="status")["hops"] == 13


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b'{"type": "make-coffee"}', "unknown-type"),
        (b'{"type": "detection", "data": {}}', "unknown-type"),
        (b'{"type": "ping", "data": {"text": 5}}', "bad-data"),
        (b'{"type": "subscribe", "data": {"after_sequence": "x"}}', "bad-data"),
        (b"GET / HTTP/1.1", "bad-frame"),
        (b'{"type": "audio-start", "data": {"rate": 16000}}', "no-audio"),
        (b'{"type": "audio-chunk", "data_length": 2, "payload_length": 3}\n{}\n\n\n', "no-audio"),
    ],
)
def test_an_invalid_request_gets_an_error_and_the_connection_stays(server, line, code):
    with server.connect() as peer:
        peer.send_bytes(line if b"\n" in line else line + b"\n")
        assert peer.expect("error")["code"] == code
        assert peer.ask("ping", {"text": "still here"}, answer="pong") == {"text": "still here"}


@pytest.mark.parametrize(
    "garbage",
    [
        b"x" * (MAX_BYTES + 1),
        b'{"type": "audio-chunk", "payload_length": 1000000000000}\n',
        b'{"type": "ping", "data_length": 65537}\n',
        b'{"type": "ping", "data_length": -5}\n',
    ],
)
def test_a_frame_over_the_caps_gets_an_error_and_ends_the_connection(server, garbage):
    with server.connect() as peer:
        peer.send_bytes(garbage)
        assert peer.expect("error")["code"] in {"too-large", "bad-frame"}
        assert peer.read() is None


def test_a_peer_receives_only_the_chosen_words(server):
    with server.connect() as peer:
        peer.send("detect", {"names": ["alexa"]})
        peer.ask("ping", answer="pong")
        server.publish(detection("jarvis"), detection("alexa"))
        assert peer.expect("detection")["name"] == "alexa"
        assert [subscriber.words for subscriber in server.subscribers()] == [["alexa"]]
        for everything in (None, []):
            peer.send("detect", {"names": everything})
            peer.ask("ping", answer="pong")
            server.publish(detection("jarvis"), detection("alexa"))
            assert [peer.expect("detection")["name"] for _ in range(2)] == ["jarvis", "alexa"]


@pytest.mark.parametrize("name", ["smart mirror", "Smart-Mirror", "smart_mirror"])
def test_a_word_may_be_spelled_as_it_is_spoken(name):
    words = info(("jarvis", "smart_mirror"))
    with RunningServer(info=lambda: words) as server, server.connect() as peer:
        peer.send("detect", {"names": [name]})
        peer.ask("ping", answer="pong")
        server.publish(detection("jarvis"), detection("smart_mirror"))
        assert peer.expect("detection")["name"] == "smart_mirror"


def test_an_unknown_word_is_an_error_that_names_the_known_ones(server):
    with server.connect() as peer:
        peer.send("detect", {"names": ["alexa", "sheila"]})
        error = peer.expect("error")
        assert error["code"] == "unknown-word"
        assert "'sheila'" in error["text"]
        assert "jarvis, alexa" in error["text"]
        server.publish(detection("jarvis"), detection("alexa"))
        peer.ask("ping", answer="pong")  # no word at all came before this answer
        assert [subscriber.words for subscriber in server.subscribers()] == [[]]
        peer.send("detect", {"names": ["alexa"]})
        peer.ask("ping", answer="pong")
        server.publish(detection("jarvis"), detection("alexa"))
        assert peer.expect("detection")["name"] == "alexa"


# Coming back


def test_a_returning_peer_gets_missed_events_and_then_new_ones(server):
    server.publish(*[detection()] * 10)
    with server.connect() as peer:
        answer = peer.ask("subscribe", {"after_sequence": 4}, answer="subscribed")
        assert (answer["sequence"], answer["missed"]) == (4, 0)
        server.publish(*[detection()] * 3)
        assert numbers(peer, 9) == [5, 6, 7, 8, 9, 10, 11, 12, 13]


def test_subscribing_without_a_number_starts_now(server):
    server.publish(detection())
    with server.connect() as peer:
        answer = peer.ask("subscribe", answer="subscribed")
        assert (answer["sequence"], answer["missed"]) == (1, 0)
        server.publish(detection())
        assert numbers(peer, 1) == [2]


def test_a_peer_learns_how_many_events_are_lost():
    with RunningServer(limits=Limits(history=4)) as server, server.connect() as peer:
        server.publish(*[detection()] * 10)
        numbers(peer, 10)
        answer = peer.ask("subscribe", {"after_sequence": 3}, answer="subscribed")
        assert (answer["sequence"], answer["missed"]) == (6, 3)
        assert numbers(peer, 4) == [7, 8, 9, 10]


def test_after_a_restart_the_loss_is_unknown_and_the_new_run_is_replayed(server):
    server.publish(detection(), detection())
    with server.connect() as peer:
        old = {"start_id": "20200101T000000.000000Z", "after_sequence": 900}
        answer = peer.ask("subscribe", old, answer="subscribed")
        assert (answer["sequence"], answer["missed"]) == (0, None)
        assert answer["start_id"] > old["start_id"]
        assert numbers(peer, 2) == [1, 2]


def test_a_sequence_number_from_the_future_is_refused(server):
    with server.connect() as peer:
        error = peer.ask("subscribe", {"after_sequence": 1}, answer="error")
        assert error["code"] == "bad-data"
        server.publish(detection())
        assert numbers(peer, 1) == [1]


def test_a_replay_has_only_the_chosen_words(server):
    server.publish(*[detection("jarvis"), detection("alexa")] * 2)
    with server.connect() as peer:
        peer.send("detect", {"names": ["alexa"]})
        peer.ask("subscribe", {"after_sequence": 0}, answer="subscribed")
        assert numbers(peer, 2) == [2, 4]


def test_no_event_is_lost_between_replay_and_live_events():
    """Events are published all the while; each subscription sees each one once, in order."""
    stop = threading.Event()

    def keep_publishing():
        while not stop.is_set():
            server.publish(detection())
            time.sleep(0.001)

    with RunningServer(limits=Limits(history=100_000)) as server:
        publisher = threading.Thread(target=keep_publishing)
        publisher.start()
        try:
            for seen in range(0, 200, 10):
                with Peer(server.path) as peer:  # not connect(): a live event may pass its pong
                    peer.send("subscribe", {"after_sequence": seen})
                    while (event := peer.read())["type"] != "subscribed":
                        assert event["type"] == "detection"  # a live one; it comes again
                    assert (event["data"]["sequence"], event["data"]["missed"]) == (seen, 0)
                    assert numbers(peer, 15) == list(range(seen + 1, seen + 16))
        finally:
            stop.set()
            publisher.join()


# Peers that do not read


def test_a_peer_that_never_reads_is_disconnected_and_delays_nobody(caplog):
    limits = Limits(queue=50, history=50)
    with RunningServer(limits=limits) as server, server.connect(), server.connect() as reading:
        received = []
        reader = threading.Thread(target=lambda: received.extend(numbers(reading, 2000)))
        reader.start()
        for _ in range(200):
            server.publish(*[detection()] * 10)
            server.until(lambda peers: any(peer.queued == 0 for peer in peers))
        reader.join(PATIENCE)
        assert received == list(range(1, 2001))
        server.until(lambda peers: len(peers) == 1)
    (line,) = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert f"process {os.getpid()} (" in line
    assert "does not read" in line


def test_a_stalled_peer_is_disconnected_even_with_room_in_its_queue(caplog):
    with RunningServer(limits=Limits(stall=0.1, queue=100_000)) as server, server.connect():
        server.publish(*[detection()] * 3000)  # more than the kernel holds for it
        server.until(lambda peers: not peers)
    assert "has not read for 0.1 s" in caplog.text


def test_a_peer_that_sends_requests_and_never_reads_is_disconnected(caplog):
    with RunningServer(limits=Limits(stall=0.1)) as server, server.connect() as peer:
        peer.socket.setblocking(False)
        try:
            for _ in range(1_000_000):
                peer.send_bytes(b'{"type": "describe"}\n')
            pytest.fail("20 MB of requests were taken from a peer that does not read")
        except BlockingIOError:
            pass  # it is no longer read from either: a peer's own requests cannot fill memory
        server.until(lambda peers: not peers)
    assert "has not read for 0.1 s" in caplog.text


# Hostile peers


def test_a_frame_that_never_ends_ends_the_connection():
    with RunningServer(limits=Limits(request=0.2)) as server:
        for beginning in (
            b'{"type": "pi',
            b'{"type": "audio-chunk", "payload_length": 9}\nabc',
            b'{"type": "ping"}\n{',
        ):
            with server.connect() as peer:
                peer.send_bytes(beginning)
                while (event := peer.read())["type"] == "pong":
                    pass
                assert event["data"]["code"] == "timeout"
                assert peer.read() is None


def test_a_frame_that_arrives_too_slowly_ends_the_connection():
    with RunningServer(limits=Limits(request=0.3)) as server, server.connect() as peer:
        deadline = time.monotonic() + PATIENCE
        peer.socket.setblocking(False)
        answer = b""
        while not answer and time.monotonic() < deadline:
            peer.send_bytes(b" ")
            time.sleep(0.02)
            try:
                answer = peer.socket.recv(1000)
            except BlockingIOError:
                continue
        assert json.loads(answer)["data"]["code"] == "timeout"


def test_an_idle_peer_stays_connected():
    with RunningServer(limits=Limits(request=0.05, stall=0.05)) as server, server.connect() as peer:
        for _ in range(3):
            time.sleep(0.1)
            peer.ask("ping", answer="pong")


def test_a_connection_too_many_is_refused_until_another_ends(caplog):
    with RunningServer(limits=Limits(connections=3)) as server:
        peers = [server.connect() for _ in range(3)]
        for _ in range(20):
            with Peer(server.path) as refused:
                assert refused.expect("error")["code"] == "busy"
                assert refused.read() is None
        assert len(caplog.records) == 1
        peers.pop().close()
        server.until(lambda subscribers: len(subscribers) == 2)
        peers.append(server.connect())
        for peer in peers:
            peer.ask("ping", answer="pong")
            peer.close()


def open_descriptors():
    gc.collect()  # what an earlier test left behind
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_many_connections_in_a_row_leave_nothing_behind(server):
    before = open_descriptors()
    reset = struct.pack("ii", 1, 0)
    for attempt in range(600):
        peer = Peer(server.path)
        match attempt % 4:
            case 1:
                peer.send_bytes(b'{"type": "desc')
            case 2:
                peer.send_bytes(b"\x00\xff\n" * 5)
            case 3:
                peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        peer.close()
    with server.connect() as peer:
        peer.ask("ping", answer="pong")
    server.until(lambda _peers: not server.server._connections)
    assert open_descriptors() == before


def test_a_flood_of_requests_does_not_hold_up_the_events(server):
    with server.connect() as flooding, server.connect() as listening:
        flood = b'{"type": "ping"}\n[]\n' * 1000
        stop = threading.Event()

        def keep_flooding():
            while not stop.is_set():
                flooding.send_bytes(flood)

        def keep_reading():
            with contextlib.suppress(ConnectionResetError):  # the flood's rest is left unread
                while flooding.socket.recv(65536):
                    pass

        threads = [threading.Thread(target=keep_flooding), threading.Thread(target=keep_reading)]
        for thread in threads:
            thread.start()
        for number in range(1, 21):
            server.publish(detection())
            assert numbers(listening, 1) == [number]
        stop.set()
        threads[0].join()
        flooding.socket.shutdown(socket.SHUT_RDWR)
        threads[1].join()


# The socket file


def test_only_its_owner_may_open_the_socket(folder):
    path = folder / "new" / "wakeword" / "events.sock"
    seen = []
    old = os.umask(0)
    try:
        listening = socket.socket.listen

        def listen(self, backlog):
            seen.append(mode(path))  # from the first moment at which anyone can connect
            return listening(self, backlog)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(socket.socket, "listen", listen)
            with RunningServer(unix=path):
                assert seen == [0o600]
                assert mode(path) == 0o600
                assert mode(path.parent) == 0o700
    finally:
        os.umask(old)


@as_root
def test_a_group_may_be_given_access(folder):
    group = grp.getgrgid(1)
    path = folder / "wakeword" / "events.sock"
    with RunningServer(unix=path, group=group.gr_name):
        assert (mode(path), path.stat().st_gid) == (0o660, group.gr_gid)
        assert (mode(path.parent), path.parent.stat().st_gid) == (0o750, group.gr_gid)


def test_an_unknown_group_is_an_error(folder):
    with pytest.raises(EventsError, match="no group 'no-such-group'"):
        RunningServer(unix=folder / "events.sock", group="no-such-group").__enter__()


@as_root
@pytest.mark.parametrize(
    ("groups", "primary", "let_in"),
    [([], NOBODY, False), ([2], NOBODY, False), ([2, 1], NOBODY, True), ([], 1, True)],
)
def test_another_user_is_refused_even_with_an_open_socket_file(folder, groups, primary, let_in):
    folder.chmod(0o755)
    path = folder / "events.sock"
    with RunningServer(unix=path, group=grp.getgrgid(1).gr_name):
        path.chmod(0o666)
        mine = os.getgroups()
        os.setgroups(groups)
        os.setegid(primary)
        os.seteuid(NOBODY)
        try:
            peer = Peer(path)
        finally:
            os.seteuid(0)
            os.setegid(0)
            os.setgroups(mine)
        with peer:
            if let_in:
                peer.ask("ping", answer="pong")
            else:
                assert peer.expect("error")["code"] == "forbidden"
                assert peer.read() is None


def test_a_stale_socket_is_replaced(folder):
    path = folder / "events.sock"
    left_behind = socket.socket(socket.AF_UNIX)
    left_behind.bind(str(path))
    left_behind.close()
    with RunningServer(unix=path), Peer(path) as peer:
        peer.ask("ping", answer="pong")


def test_a_socket_in_use_is_an_error_that_names_the_process(server):
    with pytest.raises(EventsError, match=rf"process {os.getpid()} \(.+\) already listens on"):
        RunningServer(unix=server.path).__enter__()
    server.connect().close()


def test_only_one_of_two_servers_that_start_at_once_listens(folder):
    path = folder / "events.sock"

    async def race():
        servers = [
            EventServer(info=info, status=status, unix=path),
            EventServer(info=info, status=status, unix=path),
        ]
        started = await asyncio.gather(
            *(asyncio.to_thread(asyncio.run, attempt(server)) for server in servers)
        )
        assert sorted(started) == [False, True]

    both = threading.Barrier(2)

    async def attempt(server):
        both.wait(PATIENCE)
        try:
            await server.start()
        except EventsError:
            both.wait(PATIENCE)
            return False
        both.wait(PATIENCE)  # it listens until the other has failed
        await server.stop()
        return True

    for _ in range(5):
        left_behind = socket.socket(socket.AF_UNIX)
        left_behind.bind(str(path))
        left_behind.close()
        asyncio.run(race())
        assert not path.exists()


def test_a_regular_file_is_left_alone(folder):
    path = folder / "events.sock"
    path.write_text("precious")
    with pytest.raises(EventsError, match="is a file and not a socket; move it away"):
        RunningServer(unix=path).__enter__()
    assert path.read_text() == "precious"


def test_a_folder_is_refused_as_a_socket(folder):
    with pytest.raises(EventsError, match=f"{folder} is a folder; choose a path inside it"):
        RunningServer(unix=folder).__enter__()
    assert folder.is_dir()


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (Path("/proc/wakeword/events.sock"), "No such file"),
        (Path("/tmp") / ("x" * 120), "too long"),  # noqa: S108
    ],
)
def test_an_unusable_path_is_refused_with_a_reason(path, reason):
    with pytest.raises(EventsError, match=f"cannot listen on {path}: .*{reason}"):
        RunningServer(unix=path).__enter__()


def test_the_socket_file_is_removed_only_by_its_server(folder):
    path = folder / "events.sock"
    with RunningServer(unix=path) as first:
        path.unlink()
        with RunningServer(unix=path):
            first.stop()
            assert path.exists()
        assert not path.exists()


def test_a_listening_socket_is_adopted(folder):
    path = folder / "events.sock"
    with socket.socket(socket.AF_UNIX) as activated:
        activated.bind(str(path))
        activated.listen()
        with Peer(path) as early, RunningServer(unix=activated) as server:
            early.ask("ping", answer="pong")
            server.publish(detection())
            assert numbers(early, 1) == [1]
        assert path.exists()


def test_a_socket_that_does_not_listen_is_refused():
    with (
        socket.socket(socket.AF_UNIX) as idle,
        pytest.raises(EventsError, match="not a listening unix"),
    ):
        RunningServer(unix=idle).__enter__()


# TCP


def tcp_address(server):
    host, port = server.server.addresses[1].removeprefix("tcp://").split(":")
    return host, int(port)


def test_tcp_is_off_by_default(server):
    assert server.server.addresses == [str(server.path)]


@pytest.mark.parametrize("token", [None, ""])
def test_tcp_stays_on_this_machine_by_default(token):
    with RunningServer(tcp=Tcp(port=0, token=token)) as server, Peer(tcp_address(server)) as peer:
        assert tcp_address(server)[0] == "127.0.0.1"
        peer.ask("ping", answer="pong")
        server.publish(detection())
        assert numbers(peer, 1) == [1]


@pytest.mark.parametrize("token", [None, ""])
def test_the_network_needs_a_token(token):
    running = RunningServer(tcp=Tcp(port=0, host="0.0.0.0", token=token))  # noqa: S104
    with pytest.raises(EventsError, match="set a token"):
        running.__enter__()
    assert not running.path.exists()


def test_a_token_gives_access():
    with RunningServer(tcp=Tcp(port=0, token="sésame")) as server:  # noqa: S106
        with Peer(tcp_address(server)) as peer:
            server.publish(detection())  # not for a stranger
            peer.send("authenticate", {"token": "sésame"})
            assert peer.ask("describe", answer="info")["sequence"] == 1
            server.publish(detection())
            assert numbers(peer, 1) == [2]
            peer.ask("ping", answer="pong")
        with server.connect() as local:
            local.ask("ping", answer="pong")  # the unix socket asks for none


@pytest.mark.parametrize(
    "first",
    [
        b'{"type": "authenticate", "data": {"token": "open"}}\n',
        b'{"type": "authenticate"}\n',
        b'{"type": "describe"}\n',
        b'{"type": "ping"}\n{"type": "authenticate", "data": {"token": "sesame"}}\n',
        b"\n",
    ],
)
def test_without_the_token_nothing_is_sent(first):
    with (
        RunningServer(tcp=Tcp(port=0, token="sesame")) as server,  # noqa: S106
        Peer(tcp_address(server)) as peer,
    ):
        peer.send_bytes(first)
        assert peer.expect("error")["code"] in {"unauthorized", "bad-data", "bad-frame"}
        assert peer.read() is None


def test_a_peer_without_a_token_is_disconnected_after_a_while():
    limits = Limits(request=0.1)
    with (
        RunningServer(tcp=Tcp(port=0, token="sesame"), limits=limits) as server,  # noqa: S106
        Peer(tcp_address(server)) as peer,
    ):
        assert peer.expect("error")["code"] == "timeout"
        assert peer.read() is None


def test_tcp_connections_do_not_use_up_those_of_the_unix_socket():
    with RunningServer(tcp=Tcp(port=0), limits=Limits(connections=2)) as server:
        crowd = [Peer(tcp_address(server)) for _ in range(5)]
        with server.connect() as peer:
            peer.ask("ping", answer="pong")
        for each in crowd:
            each.close()


def test_a_port_in_use_is_reported_and_the_unix_socket_is_removed():
    with RunningServer(tcp=Tcp(port=0)) as server:
        second = RunningServer(tcp=Tcp(port=tcp_address(server)[1]))
        with pytest.raises(EventsError, match="another program has it"):
            second.__enter__()
        assert not second.path.exists()


# The end


def test_stopping_first_sends_queued_events(server):
    with server.connect() as peer:
        server.publish(*[detection()] * 40)
        server.stop(grace=PATIENCE)
        assert numbers(peer, 40) == list(range(1, 41))
        assert peer.read() is None
    assert not server.path.exists()


def test_stopping_does_not_wait_for_a_peer_that_does_not_read():
    with RunningServer(limits=Limits(queue=100_000, stall=1000.0)) as server, server.connect():
        server.publish(*[detection()] * 3000)
        server.stop(grace=0.05)
        assert server.subscribers() == []
