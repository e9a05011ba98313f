"""Detections and the state on an MQTT broker, where Home Assistant discovers them.

Needs the extra `mqtt`. paho's own thread talks to the broker and reconnects to it. Detections
during an interruption are not sent later, because a lamp must not go on an hour late.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import socket
import sys
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from wakeword_daemon import __version__
from wakeword_daemon.actions.warnings import RepeatedWarning
from wakeword_daemon.errors import WakewordError
from wakeword_daemon.events.protocol import StateName

if TYPE_CHECKING:
    from paho.mqtt.client import Client

    from wakeword_daemon.actions.remote import Remote
    from wakeword_daemon.config import MqttSection
    from wakeword_daemon.events.protocol import Detection, StateChanged

logger = logging.getLogger(__name__)

_KEEPALIVE = 30
"""Seconds of silence after which the connection is checked."""
_LONGEST_DELAY = 60
"""Seconds between two attempts to reach a broker, at most; they begin with 1."""
_GOODBYE = 0.3
"""Seconds for the last messages."""


class Mqtt:
    """A connection to the broker, and its announcement to Home Assistant.

    Topics, below `topic` (by default wakeword/HOST): `detection` has each detection as JSON, with
    `event_type`, the word; `state`, retained, the daemon's state; `available`, retained, online or
    offline, which the broker publishes if the daemon dies; and `listen/set` takes ON and OFF.
    """

    def __init__(self, settings: MqttSection, remote: Remote) -> None:
        self._settings = settings
        self._remote = remote
        host = re.sub(r"[^\w-]", "_", socket.gethostname())
        self._id = f"wakeword_{host}"
        self._name = f"Wake word on {host}"
        self._topic = settings.topic or f"wakeword/{host}"
        self._loop = asyncio.get_running_loop()
        self._gone = asyncio.Event()
        self._trouble = RepeatedWarning(logger)
        self._tasks: set[asyncio.Task[None]] = set()
        self._client = self._connect()

    def heard(self, detection: Detection) -> None:
        """Publish a detection, if the broker is there."""
        if self._client.is_connected():
            fields = msgspec.to_builtins(detection)
            self._publish("detection", {"event_type": detection.name} | fields, retain=False)

    def changed(self, state: StateChanged) -> None:
        """Publish the state."""
        if self._client.is_connected():
            self._publish("state", state.state)

    async def stop(self) -> None:
        """Say goodbye and leave the broker."""
        if self._client.is_connected():
            self._publish("available", "offline")
        self._client.disconnect()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE):
                await self._gone.wait()

    def _connect(self) -> Client:
        # The daemon begins without OpenSSL, see cli/_process.py; paho needs it even without TLS.
        for module in ("ssl", "_hashlib"):
            if sys.modules.get(module, module) is None:
                del sys.modules[module]
        from paho.mqtt.client import Client  # noqa: PLC0415
        from paho.mqtt.enums import CallbackAPIVersion  # noqa: PLC0415

        client = Client(CallbackAPIVersion.VERSION2, client_id=self._id)
        if self._settings.tls:
            client.tls_set()
        if self._settings.user is not None:
            client.username_pw_set(self._settings.user, self._settings.password)
        client.will_set(f"{self._topic}/available", "offline", qos=1, retain=True)
        client.on_connect = lambda *come: self._later(self._welcome, come[3])
        client.on_connect_fail = lambda *_: self._later(self._warn, "it does not answer")
        client.on_disconnect = lambda *left: self._later(self._leave, left[3])
        client.on_message = lambda *came: self._later(self._obey, came[2].payload)
        client.reconnect_delay_set(1, _LONGEST_DELAY)
        client.connect_async(str(self._settings.host), self._settings.port, _KEEPALIVE)
        client.loop_start()
        return client

    def _later(self, callback: Any, *arguments: Any) -> None:  # noqa: ANN401
        """Hand a call over from paho's thread to the event loop."""
        with contextlib.suppress(RuntimeError):  # which has ended
            self._loop.call_soon_threadsafe(callback, *arguments)

    # On the event loop

    def _welcome(self, reason: Any) -> None:  # noqa: ANN401 -- paho's ReasonCode
        if reason.is_failure:
            self._warn(f"it refused: {reason}")
            return
        logger.info("connected to the MQTT broker %s", self._settings.host)
        self._trouble.clear()
        if self._settings.discovery is not None:
            for kind, name, entity in self._entities():
                topic = f"{self._settings.discovery}/{kind}/{self._id}/{name}/config"
                self._client.publish(topic, json.dumps(entity), qos=1, retain=True)
        self._publish("state", self._remote.state)
        self._publish("available", "online")
        self._client.subscribe(f"{self._topic}/listen/set", qos=1)

    def _leave(self, reason: Any) -> None:  # noqa: ANN401 -- paho's ReasonCode
        self._gone.set()
        if reason.is_failure:
            self._warn(f"the connection broke: {reason}")

    def _warn(self, what: str) -> None:
        broker = f"{self._settings.host}:{self._settings.port}"
        self._trouble.warn(f"MQTT broker {broker}: {what}")

    def _obey(self, payload: bytes) -> None:
        match payload:
            case b"ON":
                request = self._remote.resume()
            case b"OFF":
                request = self._remote.pause(None)
            case _:
                logger.warning("listen/set takes ON or OFF, not %r", payload[:40])
                return

        async def ask() -> None:
            try:
                await request
            except WakewordError as error:
                logger.warning("a request over MQTT failed: %s", error)

        task = self._loop.create_task(ask())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _publish(self, name: str, content: object, *, retain: bool = True) -> None:
        text = content if isinstance(content, str) else json.dumps(content)
        self._client.publish(f"{self._topic}/{name}", text, qos=1 if retain else 0, retain=retain)

    def _entities(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Return the kind, the name and the discovery message of each of our entities."""
        common: dict[str, Any] = {
            "availability_topic": f"{self._topic}/available",
            "device": {
                "identifiers": [self._id],
                "name": self._name,
                "manufacturer": "wakeword-daemon",
                "sw_version": __version__,
            },
        }
        event = {
            "name": "Wake word",
            "unique_id": f"{self._id}_detection",
            "state_topic": f"{self._topic}/detection",
            "event_types": self._remote.words,
            "icon": "mdi:ear-hearing",
        }
        state = {
            "name": "State",
            "unique_id": f"{self._id}_state",
            "state_topic": f"{self._topic}/state",
            "device_class": "enum",
            "options": list(get_args(StateName)),
            "entity_category": "diagnostic",
        }
        listen = {
            "name": "Listen",
            "unique_id": f"{self._id}_listen",
            "state_topic": f"{self._topic}/state",
            "value_template": "{{ 'OFF' if value == 'paused' else 'ON' }}",
            "command_topic": f"{self._topic}/listen/set",
            "icon": "mdi:microphone",
        }
        return [
            ("event", "detection", common | event),
            ("sensor", "state", common | state),
            ("switch", "listen", common | listen),
        ]
