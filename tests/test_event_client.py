"""A subscriber sees each detection once, whatever happens to the connection or the daemon."""

import asyncio
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from support.eventserver import PATIENCE, RunningServer, detection, info

from wakeword_daemon.errors import EventsError
from wakeword_daemon.events import client, connection, paths, subscription
from wakeword_daemon.events.aioclient import subscribe_async
from wakeword_daemon.events.client import read_status, subscribe
from wakeword_daemon.events.protocol import StateChanged
from wakeword_daemon.events.session import Limits
from wakeword_daemon.events.sockets import Tcp


@contextmanager
def sync_listener(_server, address, options):
    events = subscribe(address, **options)
    try:
        yield lambda: next(events)
    finally:
        events.close()


@contextmanager
def async_listener(server, address, options):
    with asyncio.Runner() as runner:
        already = server.subscriptions
        events = subscribe_async(address, **options)

        async def begin():
            first = asyncio.ensure_future(anext(events))
            while server.subscriptions == already and not first.done():
                await asyncio.wait({first}, timeout=0.002)
            return first

        waiting = [runner.run(begin())]
        if waiting[0].done():
            waiting.pop().result()  # it was refused

        async def following():
            async with asyncio.timeout(PATIENCE):
                return await (waiting.pop() if waiting else anext(events))

        try:
            yield lambda: runner.run(following())
        finally:
            if waiting:
                waiting.pop().cancel()
            runner.run(asyncio.sleep(0))
            runner.run(events.aclose())


@pytest.fixture(params=[sync_listener, async_listener], ids=["sync", "async"])
def listen(request):
    """Return a context in which a subscriber listens; it gives the call for its next detection."""
    return lambda server, address=None, **options: request.param(
        server, address or server.path, options
    )


def until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def numbers(listener, count):
    return [listener().sequence for _ in range(count)]


def test_a_subscriber_receives_everything_from_then_on(server, listen):
    server.publish(detection())
    with listen(server) as listener:
        server.publish(detection("alexa", sample=48_000), detection())
        heard = listener()
        assert (heard.name, heard.timestamp, heard.score) == ("alexa", 3000, 0.97)
        assert (heard.sequence, heard.start_id) == (2, server.server.start_id)
        assert listener().sequence == 3


def test_a_subscriber_receives_only_its_words(server, listen):
    with listen(server, words=["alexa"]) as listener:
        server.publish(detection("jarvis"), detection("alexa"), detection("jarvis"))
        server.cut_and_publish(detection("jarvis"), detection("alexa"))
        assert numbers(listener, 2) == [2, 5]


def test_an_unknown_word_is_refused_by_name(server, listen):
    refused = pytest.raises(EventsError, match="'sheila'; the words are: jarvis, alexa")
    with refused, listen(server, words=["sheila"]) as listener:
        listener()


def test_events_during_a_lost_connection_arrive_once_and_in_order(server, listen):
    with listen(server) as listener:
        for start in range(0, 30, 10):
            server.publish(*[detection()] * 4)
            assert numbers(listener, 2) == [start + 1, start + 2]
            server.cut_and_publish(*[detection()] * 6)
            assert numbers(listener, 8) == list(range(start + 3, start + 11))


def test_a_connection_lost_before_the_first_event_loses_nothing(server, listen):
    server.publish(detection())
    with listen(server) as listener:
        server.cut_and_publish(detection())
        assert numbers(listener, 1) == [2]


def test_lost_events_are_counted_in_the_log(listen, caplog):
    with RunningServer(limits=Limits(history=4)) as server, listen(server) as listener:
        server.cut_and_publish(*[detection()] * 10)
        assert numbers(listener, 4) == [7, 8, 9, 10]
    assert "6 events are lost" in caplog.text


def test_a_restarted_daemon_is_followed_from_its_first_event(folder, listen, caplog):
    path = folder / "events.sock"
    with RunningServer(unix=path) as first, listen(first, path) as listener:
        first.publish(*[detection()] * 3)
        before = [listener() for _ in range(3)]
        first.stop()
        with RunningServer(unix=path) as second:
            second.publish(detection(), detection())
            after = [listener() for _ in range(2)]
        assert [event.sequence for event in before + after] == [1, 2, 3, 1, 2]
        assert {event.start_id for event in before} == {first.server.start_id}
        assert {event.start_id for event in after} == {second.server.start_id}
        assert first.server.start_id < second.server.start_id
    assert "restarted" in caplog.text


def test_a_deaf_daemon_is_logged(server, listen, caplog):
    caplog.set_level(logging.INFO)
    with listen(server) as listener:
        deaf = StateChanged(state="deaf", reason="the microphone is gone", wall_time=1.0)
        back = StateChanged(state="listening", reason="", wall_time=2.0)
        server.publish(deaf, back, detection())
        assert listener().sequence == 3
    levels = {record.getMessage(): record.levelname for record in caplog.records}
    assert levels["the daemon is deaf: the microphone is gone"] == "WARNING"
    assert levels["the daemon is listening"] == "INFO"


def test_without_a_daemon_the_error_says_how_to_start_one(folder, server, listen):
    for path in (folder / "events.sock", folder / "stale.sock"):
        if path.name == "stale.sock":
            with socket.socket(socket.AF_UNIX) as left_behind:
                left_behind.bind(str(path))
        with pytest.raises(EventsError, match=f"no daemon is listening at {path}.*wakeword run"):
            listen(server, path, reconnect=False).__enter__()


def test_waiting_for_a_daemon_is_logged(folder, caplog):
    caplog.set_level(logging.INFO)
    path = folder / "events.sock"

    def subscribe_plainly():
        with closing(subscribe(path, words=["alexa"])) as events:
            return next(events)

    async def subscribe_asynchronously():
        async with aclosing(subscribe_async(path, words=["alexa"])) as events:
            return await anext(events)

    with ThreadPoolExecutor() as pool:
        waiting = [
            pool.submit(subscribe_plainly),
            pool.submit(lambda: asyncio.run(subscribe_asynchronously())),
        ]
        said = f"no daemon is listening at {path}; start it with `wakeword run`; waiting for it"
        until(lambda: caplog.messages.count(said) == 2)
        with RunningServer(unix=path) as server:
            server.until(lambda peers: [peer.words for peer in peers] == [["alexa"]] * 2)
            until(lambda: server.subscriptions == 2)
            server.publish(detection("alexa"))
            assert [each.result(PATIENCE).name for each in waiting] == ["alexa", "alexa"]
    assert caplog.messages.count(said) == 2, "once each, however often it tried"
    said = f"connected to {path}, which is listening for alexa"
    assert caplog.messages.count(said) == 2


def test_waiting_ends_in_time_with_an_error(folder):
    with pytest.raises(EventsError, match="no daemon is listening"):
        subscribe(folder / "events.sock", timeout=0.1)


def test_a_subscriber_that_reaches_a_deaf_daemon_is_warned(listen, caplog):
    deaf = replace(info(), state="deaf", reason="There is no microphone.")
    with RunningServer(info=lambda: deaf) as server, listen(server) as listener:
        server.publish(detection())
        listener()  # by then it has read what the daemon said of itself
    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    where = f"connected to {server.path}, which is deaf"
    assert warning.getMessage() == f"{where}: There is no microphone."


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_another_users_socket_is_refused_in_one_sentence(server, listen, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(server.path.parents[1]))
    server.path.parents[1].chmod(0o700)
    os.seteuid(65534)
    try:
        for ask in (read_status, lambda: listen(server, str(server.path)).__enter__()):
            with pytest.raises(EventsError, match="belongs to another user"):
                ask()
    finally:
        os.seteuid(0)


def test_a_daemon_that_goes_away_is_an_error_without_reconnection(server, listen):
    with listen(server, reconnect=False) as listener:
        server.publish(detection())
        server.stop()
        assert listener().sequence == 1
        with pytest.raises(EventsError, match="closed the connection"):
            listener()


def tcp_address(server):
    return server.server.addresses[1]


def test_a_token_is_sent_over_tcp(listen):
    with RunningServer(tcp=Tcp(port=0, token="sesame")) as server:  # noqa: S106
        with listen(server, tcp_address(server), token="sesame", words=["alexa"]) as listener:  # noqa: S106
            server.publish(detection("alexa"))
            assert listener().name == "alexa"
            server.cut_and_publish(detection("alexa"))
            assert listener().sequence == 2
        for token in ("wrong", None):
            with pytest.raises(EventsError, match="token"):
                listen(server, tcp_address(server), token=token).__enter__()


def test_an_unneeded_token_does_no_harm(server, listen):
    with listen(server, token="sesame") as listener:  # noqa: S106
        server.publish(detection())
        assert listener().sequence == 1


def test_a_full_daemon_says_so(listen):
    with RunningServer(limits=Limits(connections=1)) as server, server.connect():
        for _ in range(20):  # its answer often comes before we have sent anything
            with pytest.raises(EventsError, match="too many connections"):
                listen(server).__enter__()


@contextmanager
def impostor(path, says):
    """Someone else listens there, says one thing and keeps the line open."""
    done = threading.Event()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def answer():
            connection, _ = listening.accept()
            with connection:
                connection.sendall(says)
                done.wait(PATIENCE)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def test_another_program_on_the_socket_is_recognized(server, folder, listen):
    path = folder / "events.sock"
    with (
        impostor(path, b"SSH-2.0-OpenSSH_9.2\r\n"),
        pytest.raises(EventsError, match="not a wake-word daemon"),
    ):
        listen(server, path).__enter__()


@contextmanager
def full_queue(path):
    """A socket whose queue of connections is full."""
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as queued:
        listening.bind(str(path))
        listening.listen(0)
        queued.connect(str(path))
        yield listening


def test_a_client_waits_for_a_flooded_daemon(folder):
    with full_queue(folder / "s") as listening, ThreadPoolExecutor() as pool:
        waiting = pool.submit(connection.connect, folder / "s")
        time.sleep(0.1)
        listening.accept()[0].close()
        waiting.result(PATIENCE).close()


def test_a_daemon_that_stays_flooded_is_an_error(folder, monkeypatch):
    monkeypatch.setattr(connection, "ANSWER_TIMEOUT", 0.1)
    with full_queue(folder / "s"), pytest.raises(EventsError, match="does not answer"):
        read_status(folder / "s")


def test_a_hanging_daemon_is_an_error(server, folder, listen, monkeypatch):
    monkeypatch.setattr(subscription, "ANSWER_TIMEOUT", 0.1)
    path = folder / "events.sock"
    with impostor(path, b""), pytest.raises(EventsError, match="does not answer"):
        listen(server, path).__enter__()


# What only the plain form has


def test_nothing_is_missed_between_subscribing_and_iterating(server):
    events = subscribe(server.path)
    server.publish(detection())
    assert next(events).sequence == 1
    events.close()


def test_the_iteration_ends_in_time(server):
    server.publish(detection())
    assert list(subscribe(server.path, timeout=0.05)) == []
    assert list(subscribe(server.path, timeout=0)) == []


def test_the_iteration_ends_in_time_while_the_daemon_is_away(server, monkeypatch):
    now = [100.0]
    slept = []

    def sleep(duration):
        slept.append(duration)
        now[0] += duration

    clock = SimpleNamespace(monotonic=lambda: now[0], sleep=sleep)
    monkeypatch.setattr(client, "time", clock)
    events = subscribe(server.path, timeout=10)
    server.publish(detection())
    server.stop()
    assert [event.sequence for event in events] == [1]
    assert sum(slept) == pytest.approx(10)
    assert max(slept) <= 2


def test_a_client_that_stops_iterating_disconnects(server):
    events = subscribe(server.path)
    server.publish(detection())
    for _ in events:
        break
    events.close()
    server.until(lambda peers: not peers)


def test_the_status():
    with RunningServer(tcp=Tcp(port=0, token="sesame")) as server:  # noqa: S106
        assert read_status(server.path).state == "listening"
        told = read_status(tcp_address(server), token="sesame")  # noqa: S106
        assert (told.words, told.start_id) == (["jarvis", "alexa"], server.server.start_id)
        assert [peer.peer.split()[0] for peer in told.subscribers] == ["127.0.0.1"]
        with pytest.raises(EventsError, match="token"):
            read_status(tcp_address(server))
    with pytest.raises(EventsError, match="wakeword run"):
        read_status(server.path)


def test_the_client_imports_little():
    code = "import sys, wakeword_daemon.events.client; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(ran.stdout.split())
    assert "wakeword_daemon.events.client" in loaded
    assert not loaded & {"asyncio", "numpy", "sounddevice", "wakeword_daemon.events.server"}


# Where the socket is


def test_the_socket_is_in_the_users_runtime_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert paths.default_socket() == tmp_path / "wakeword/events.sock"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert paths.default_socket().name == "events.sock"
    assert str(paths.default_socket()).startswith("/run/")


def test_a_client_tries_the_users_daemon_before_the_systems(monkeypatch, tmp_path):
    own, system = tmp_path / "own", tmp_path / "system.sock"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(own))
    monkeypatch.setattr(paths, "_SYSTEM", system)
    assert paths.find_socket() == paths.default_socket()
    system.touch()
    assert paths.find_socket() == system
    paths.default_socket().parent.mkdir(parents=True)
    paths.default_socket().touch()
    assert paths.find_socket() == paths.default_socket()


def test_addresses():
    assert paths.parse_address("/run/x.sock") == Path("/run/x.sock")
    assert paths.parse_address("tcp://kitchen:10700") == ("kitchen", 10_700)
    assert paths.parse_address("tcp://[::1]:9") == ("::1", 9)
    for wrong in ("tcp://kitchen", "tcp://:9", "tcp://kitchen:http"):
        with pytest.raises(EventsError, match="tcp://host:port"):
            paths.parse_address(wrong)
