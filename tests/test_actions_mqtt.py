"""Detections on a real broker, mosquitto, read as any MQTT client would read them."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
from support.daemon import Daemon, recording, until

paho = pytest.importorskip("paho.mqtt.client")


class Broker:
    """`mosquitto` as a context manager; it can be stopped and started again.

    A secret one asks for TLS, and lets `ear` in with the password `secret`.
    """

    def __init__(self, *, secret=False):
        self._program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
        if self._program is None:
            pytest.skip("mosquitto is not installed")
        self.root = Path(tempfile.mkdtemp(prefix="mqtt-", dir="/tmp"))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.certificate = None
        self.messages = []
        self._config = [f"listener {self.port} 127.0.0.1", "allow_anonymous true"]
        if os.geteuid() == 0:
            self._config.append("user root")  # otherwise it becomes one who may not read our files
        if secret:
            self._keep_secrets()

    def _keep_secrets(self):
        self.certificate, key = self.root / "cert.pem", self.root / "key.pem"
        passwords = self.root / "passwords"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
             "-keyout", key, "-out", self.certificate],
            check=True, capture_output=True,
        )  # fmt: skip
        subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "ear", "secret"], check=True)
        self._config[1:2] = [
            *(f"certfile {self.certificate}", f"keyfile {key}"),
            *("allow_anonymous false", f"password_file {passwords}"),
        ]

    def start(self):
        path = self.root / "mosquitto.conf"
        path.write_text("\n".join(self._config))
        with (self.root / "log").open("ab") as log:
            self._process = subprocess.Popen([self._program, "-c", path], stderr=log)
        until(self._answers, "a broker")
        return self

    def _answers(self):
        assert self._process.poll() is None, (self.root / "log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        self._process.kill()
        self._process.wait()

    def client(self):
        """Return a client that has subscribed to everything; `messages` takes what comes."""
        client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        if self.certificate:
            client.username_pw_set("ear", "secret")
            client.tls_set(ca_certs=str(self.certificate))
        ready = []
        client.on_connect = lambda *_: client.subscribe("#")
        client.on_subscribe = lambda *_: ready.append(True)
        client.on_message = lambda _, __, message: self.messages.append(
            (message.topic, message.payload.decode(), message.retain)
        )
        client.connect("localhost", self.port)
        client.loop_start()
        until(lambda: ready, "a subscription")
        return client

    def last(self, topic):
        return next((text for at, text, _ in reversed(self.messages) if at == topic), None)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.root)


@pytest.fixture
def broker():
    with Broker() as running:
        yield running


def configured(tmp_path, port, *lines):
    path = tmp_path / "config.yaml"
    settings = ("host: localhost", f"port: {port}", "topic: home/ear", *lines)
    path.write_text("mqtt:\n" + "".join(f"  {line}\n" for line in settings))
    return path


@pytest.mark.slow
def test_home_assistant_discovers_the_daemon_and_gets_detections(broker, tmp_path):
    recording(tmp_path / "in.wav", 5.0, "jarvis-slt", 60.0)
    client = broker.client()
    config = configured(tmp_path, broker.port)
    with Daemon("--config", config, "--input", tmp_path / "in.wav") as daemon:
        daemon.notified("READY")
        until(lambda: broker.last("home/ear/detection"), "a detection")
        detection = json.loads(broker.last("home/ear/detection"))
        assert detection["event_type"] == detection["name"] == "jarvis"
        assert detection["score"] > 0.5
        assert broker.last("home/ear/available") == "online"
        assert broker.last("home/ear/state") == "listening"
        assert daemon.stop() == 0
        until(lambda: broker.last("home/ear/available") == "offline", "a goodbye")
    client.loop_stop()
    found = {
        topic: json.loads(text)
        for topic, text, _ in broker.messages
        if topic.startswith("homeassistant/")
    }
    assert {topic.split("/")[1] for topic in found} == {"event", "sensor", "switch"}
    assert all(topic.endswith("/config") for topic in found)
    assert len({entity["unique_id"] for entity in found.values()}) == 3
    (event,) = (entity for topic, entity in found.items() if topic.split("/")[1] == "event")
    assert event["state_topic"] == "home/ear/detection"
    assert event["event_types"] == ["jarvis"]


@pytest.mark.slow
def test_a_late_subscriber_gets_the_state_but_no_old_detection(broker, tmp_path):
    recording(tmp_path / "in.wav", 2.0, "jarvis-slt", 60.0)
    config = configured(tmp_path, broker.port, "discovery: null")
    with Daemon("--config", config, "--input", tmp_path / "in.wav") as daemon:
        daemon.notified("READY")
        until(lambda: daemon.status()["last_detection"], "a detection")
        client = broker.client()
        until(lambda: len(broker.messages) >= 2, "what is retained")
        client.loop_stop()
    assert sorted(broker.messages) == [
        ("home/ear/available", "online", True),
        ("home/ear/state", "listening", True),
    ]


@pytest.mark.slow
def test_the_switch_pauses_and_resumes(broker, tmp_path):
    recording(tmp_path / "in.wav", 60.0)
    client = broker.client()
    config = configured(tmp_path, broker.port)
    with Daemon("--config", config, "--input", tmp_path / "in.wav") as daemon:
        until(lambda: broker.last("home/ear/state") == "listening", "the state")
        client.publish("home/ear/listen/set", "OFF")
        until(lambda: broker.last("home/ear/state") == "paused", "a pause")
        assert daemon.status()["state"] == "paused"
        client.publish("home/ear/listen/set", "ON")
        until(lambda: broker.last("home/ear/state") == "listening", "the end of the pause")
        client.publish("home/ear/listen/set", "maybe")
        until(lambda: "takes ON or OFF, not b'maybe'" in daemon.log, "a complaint")
    client.loop_stop()


@pytest.mark.slow
def test_a_daemon_that_dies_is_offline(broker, tmp_path):
    recording(tmp_path / "in.wav", 60.0)
    client = broker.client()
    config = configured(tmp_path, broker.port)
    with Daemon("--config", config, "--input", tmp_path / "in.wav") as daemon:
        until(lambda: broker.last("home/ear/available") == "online", "a welcome")
        daemon.process.kill()
        until(lambda: broker.last("home/ear/available") == "offline", "the broker's word")
    client.loop_stop()


@pytest.mark.slow
def test_the_daemon_waits_for_an_absent_broker(broker, tmp_path):
    recording(tmp_path / "in.wav", 2.0, "jarvis-slt", 60.0)
    broker.stop()
    config = configured(tmp_path, broker.port)
    with Daemon("--config", config, "--input", tmp_path / "in.wav") as daemon:
        daemon.notified("READY")
        until(lambda: "it does not answer; trying again" in daemon.log, "a complaint")
        until(lambda: daemon.status()["last_detection"], "a detection without a broker")
        broker.start()
        client = broker.client()
        until(lambda: broker.last("home/ear/state") == "listening", "the state")
        broker.stop()
        until(lambda: "the connection broke" in daemon.log, "a second complaint")
        client.loop_stop()
        status = daemon.status()
        code = daemon.stop()
        assert (status["state"], status["gaps"], code) == ("listening", 0, 0)
        assert daemon.log.count("it does not answer") <= 2
    assert broker.last("home/ear/detection") is None  # it would come too late


@pytest.mark.slow
def test_a_hanging_broker_blocks_neither_listening_nor_stopping(tmp_path):
    recording(tmp_path / "in.wav", 2.0, "jarvis-slt", 60.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = configured(tmp_path, silent.getsockname()[1])
        with Daemon("--config", config, "--input", tmp_path / "in.wav") as daemon:
            daemon.notified("READY")
            until(lambda: daemon.status()["last_detection"], "a detection")
            assert daemon.stop() == 0


@pytest.mark.slow
def test_a_password_and_tls(tmp_path):
    recording(tmp_path / "in.wav", 60.0)
    with Broker(secret=True) as broker:
        client = broker.client()
        config = configured(tmp_path, broker.port, "tls: true", "user: ear", "password: wrong")
        arguments = ("--config", config, "--input", tmp_path / "in.wav")
        with Daemon(*arguments, settings={"SSL_CERT_FILE": str(broker.certificate)}) as daemon:
            until(lambda: "it refused: Not authorized" in daemon.log, "a complaint")
            configured(tmp_path, broker.port, "tls: true", "user: ear", "password: secret")
            daemon.process.send_signal(1)
            until(lambda: broker.last("home/ear/state") == "listening", "the state")
        with Daemon(*arguments) as daemon:
            until(lambda: "trying again" in daemon.log, "a certificate that is not trusted")
            assert daemon.status()["state"] == "listening"
        client.loop_stop()
