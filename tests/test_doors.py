"""Who may listen, change and get audio at each door, as docs/security.md says."""

import logging
import socket
import subprocess

import numpy as np
import pytest
from support.bus import Bus
from support.daemon import WAKEWORD, wakeword
from support.eventserver import Peer, RunningServer, detection
from support.limits import Network
from support.roomserver import RunningRooms
from support.strangers import as_another_user, as_root, from_another_machine
from support.webpage import WebPage

from wakeword_daemon import config
from wakeword_daemon.audio.ring import RingBuffer
from wakeword_daemon.events.sockets import Tcp
from wakeword_daemon.page.guard import read_token
from wakeword_daemon.storage import read_secret

pytestmark = pytest.mark.slow

TOKEN = "s3cret-enough"  # noqa: S105
SHOW = b'{"type": "authenticate", "data": {"token": "%s"}}\n' % TOKEN.encode()
HEAR = b'{"type": "subscribe", "data": {"audio": "always", "pre_roll_ms": 500}}\n'
CHANGES = (
    b'{"type": "pause"}\n',
    b'{"type": "resume"}\n',
    b'{"type": "set-threshold", "data": {"name": "jarvis", "threshold": 0.5}}\n',
)


def listening(**options):
    """Return an event server with a second of audio."""
    ring = RingBuffer(2)
    ring.write(np.ones(16_000, np.int16))
    return RunningServer(audio=ring, **options)


def port_of(server):
    return int(server.server.addresses[-1].rpartition(":")[2])


@pytest.fixture(scope="module")
def network():
    with Network() as made:
        yield made


def connecting_to(path):
    """Return what comes of connecting as another user."""

    def connect():
        try:
            with socket.socket(socket.AF_UNIX) as peer:
                peer.connect(str(path))
                return "connected"
        except OSError as error:
            return type(error).__name__

    return as_another_user(connect)


# The event socket


@as_root
def test_another_user_cannot_open_the_event_socket():
    with listening() as server:
        assert connecting_to(server.path) == "PermissionError"


@as_root
def test_over_tcp_without_a_token_another_user_may_listen_and_change_nothing():
    with listening(tcp=Tcp(port=0)) as server:
        address = ("127.0.0.1", port_of(server))

        def ask():
            with Peer(address) as peer:
                changes = []
                for request in CHANGES:
                    peer.send_bytes(request)
                    changes.append(peer.expect("error")["code"])
                peer.send_bytes(HEAR)
                peer.expect("subscribed")
                return changes, peer.expect("audio-start")["rate"]

        assert as_another_user(ask) == (["not-allowed"] * 3, 16_000)


def test_without_a_token_another_machine_reaches_nothing(network):
    with listening(tcp=Tcp(port=0)) as server:
        told = from_another_machine(network, network.here, port_of(server), HEAR)
    assert told == "ConnectionRefusedError"


def test_with_a_token_another_machine_may_listen_and_change_nothing(network):
    with listening(tcp=Tcp(port=0, host=network.here, token=TOKEN)) as server:

        def ask(sent):
            return from_another_machine(network, network.here, port_of(server), sent)

        for stranger in (HEAR, b'{"type": "describe"}\n', SHOW.replace(b"s3", b"S3") + HEAR):
            told = ask(stranger)
            assert '"code":"unauthorized"' in told
            assert told.count("\n") == 1
        assert '"type":"subscribed"' in ask(SHOW + HEAR)
        told = ask(SHOW + b"".join(CHANGES))
        assert told.count('"code":"not-allowed"') == len(CHANGES)


# The wake service


@as_root
def test_another_user_cannot_open_the_wake_services_socket():
    with RunningRooms() as rooms:
        assert connecting_to(rooms.path) == "PermissionError"


def test_another_machine_reaches_no_wake_service_that_listens_here(network):
    with RunningRooms() as rooms:
        told = from_another_machine(network, network.here, rooms.port, b'{"type": "describe"}\n')
    assert told == "ConnectionRefusedError"


def test_the_wake_service_gives_no_audio_and_changes_nothing():
    with RunningRooms() as rooms, rooms.room() as room:
        for request in (*CHANGES, HEAR, b'{"type": "watch"}\n'):
            room.send_bytes(request)
            assert room.expect("error")["code"] == "unknown-type"


# The page


def test_another_machine_needs_the_pages_token(network, tmp_path):
    host = ("--host", network.here, "--socket", tmp_path / "none")
    with WebPage(tmp_path, *host, "--folder", tmp_path / "clips") as page:

        def ask(path, header=""):
            head = f"GET {path} HTTP/1.1\r\nHost: {network.here}\r\nConnection: close\r\n"
            request = f"{head}{header}\r\n".encode()
            told = from_another_machine(network, network.here, page.port, request)
            return int(told.split()[1])

        assert ask("/") == 200  # it holds no secret
        for private in ("events", "status", "clips", "clips/a.flac"):
            assert ask(f"/api/{private}") == 401
        assert ask("/api/clips", "Authorization: Bearer wrong\r\n") == 401
        assert ask("/api/clips", f"Authorization: Bearer {page.token}\r\n") == 200


def test_another_machine_reaches_no_metrics(network, tmp_path):
    command = [*WAKEWORD, "metrics", "--port", "0", "--socket", tmp_path / "none"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as metrics:
        try:
            port = int(metrics.stdout.readline().partition("127.0.0.1:")[2].partition("/")[0])
            told = from_another_machine(
                network, network.here, port, b"GET /metrics HTTP/1.0\r\n\r\n"
            )
        finally:
            metrics.kill()
    assert told == "ConnectionRefusedError"


# D-Bus


@as_root
def test_the_session_bus_refuses_another_user():
    bus = Bus()
    bus.root.chmod(0o755)
    with bus:

        def ask():
            command = ["gdbus", "call", "--address", bus.address]
            whom = ["--dest", "org.freedesktop.DBus", "--object-path", "/org/freedesktop/DBus"]
            method = ["--method", "org.freedesktop.DBus.ListNames"]
            done = subprocess.run(
                [*command, *whom, *method], capture_output=True, text=True, check=False
            )
            return done.returncode

        assert ask() == 0
        assert as_another_user(ask) != 0


# Secrets


def test_the_token_is_in_no_log_event_or_status(caplog):
    with caplog.at_level(logging.DEBUG), listening(tcp=Tcp(port=0, token=TOKEN)) as server:
        address = ("127.0.0.1", port_of(server))
        told = []
        for sent in (SHOW, SHOW.replace(b"s3cret-", b"s3cret_"), b"[" + SHOW):
            with Peer(address) as peer:
                peer.send_bytes(sent + b'{"type": "status"}\n{"type": "describe"}\n')
                server.publish(detection())
                peer.socket.shutdown(socket.SHUT_WR)
                while (event := peer.read()) is not None:
                    told.append(event)
    assert {"status", "info", "error"} <= {event["type"] for event in told}
    assert "s3cret" not in str(told)
    assert "s3cret" not in caplog.text


def test_a_secret_on_the_command_line_is_not_taken():
    done = wakeword("listen", "--token", TOKEN)
    assert done.returncode == 2
    assert "--token-file" in done.stderr


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_token_file_that_others_could_read_is_refused(tmp_path, mode):
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(mode)
    for read in (read_secret, read_token):
        with pytest.raises(PermissionError, match="chmod 600"):
            read(file)
    done = wakeword("listen", "--token-file", file)
    assert done.returncode == 2
    assert "other users can read it too" in done.stderr
    assert TOKEN not in done.stderr
    file.chmod(0o600)
    assert read_secret(file) == TOKEN


@pytest.mark.parametrize("secret", ["tcp: {token: a}", "mqtt: {password: a}"])
def test_a_config_with_a_secret_that_everyone_can_read_is_told(tmp_path, secret, caplog):
    file = tmp_path / "config.yaml"
    file.write_text(secret)
    file.chmod(0o640)
    config.load(file)
    assert not caplog.text
    file.chmod(0o644)
    config.load(file)
    assert "every user of this machine can read it" in caplog.text
