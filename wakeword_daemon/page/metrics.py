"""Metrics of a daemon for Prometheus, served by a separate process.

Counts that the daemon keeps anyway are asked for at each scrape (`status`). Scores, levels and
detections are watched (`watch`), so the daemon pays for them only while this runs.
"""

from __future__ import annotations

import os
import socketserver
import threading
import time
from typing import TYPE_CHECKING, get_args
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.errors import EventsError, cannot_listen
from wakeword_daemon.events import client
from wakeword_daemon.events.protocol import Detection, Info, StateName, Telemetry
from wakeword_daemon.page import hosts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from prometheus_client.metrics_core import Metric

    from wakeword_daemon.events.protocol import Status

HOST = "127.0.0.1"

_BUCKETS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0)
"""Upper ends of the buckets of scores: thresholds lie between them."""

_AGAIN = 2.0
"""Seconds until the next try after the daemon refused us."""


def server(daemon: Path | None, port: int) -> WSGIServer:
    """Return a server that answers scrapes, and begin to watch the daemon.

    Args:
        daemon: its unix socket; None for the daemon on this machine.
        port: on the loopback address; 0 for any.

    Raises:
        EventsError: the port is taken.

    """
    registry = CollectorRegistry()
    registry.register(_StatusCollector(daemon))
    try:
        made = make_server(
            HOST, port, _guarded(make_wsgi_app(registry)), _Server, handler_class=_QuietHandler
        )
    except OSError as error:
        raise cannot_listen("serve metrics", HOST, port, error, "--port") from error
    watching = threading.Thread(target=_Watcher(registry).run, args=(daemon,), daemon=True)
    watching.start()
    return made


class _Watcher:
    """Counts what is heard."""

    def __init__(self, registry: CollectorRegistry) -> None:
        words = ["word"]
        self._detections = Counter(
            "wakeword_detections", "Detections while this was watching.", words, registry=registry
        )
        self._scores = Histogram(
            "wakeword_score",
            "Score of each hop of 80 ms: the smoothed probability of the word.",
            words,
            buckets=_BUCKETS,
            registry=registry,
        )
        self._threshold = Gauge(
            "wakeword_threshold", "Score from which a word is reported.", words, registry=registry
        )
        self._level = Gauge("wakeword_level_dbfs", "RMS level of the last hop.", registry=registry)
        self._noise = Gauge(
            "wakeword_noise_dbfs", "Noise floor of the room in the last 8 s.", registry=registry
        )

    def run(self, daemon: Path | None) -> None:
        """Watch for ever; a daemon that refuses us is asked again."""
        while True:
            try:
                for item in client.watch(daemon):
                    self._take(item)
            except EventsError:
                time.sleep(_AGAIN)

    def _take(self, item: object) -> None:
        match item:
            case Info():
                for word in item.words:  # a count begins at 0, not at the first one
                    self._detections.labels(word)
                    self._scores.labels(word)
            case Detection():
                self._detections.labels(item.name).inc()
            case Telemetry():
                self._level.set(item.level[-1])
                self._noise.set(item.noise[-1])
                self._threshold.clear()
                for word, threshold in item.thresholds.items():
                    self._threshold.labels(word).set(threshold)
                for word, scores in item.scores.items():
                    histogram = self._scores.labels(word)
                    for score in scores:
                        histogram.observe(score)


class _StatusCollector(Collector):
    """Asks the daemon for its status at each scrape."""

    def __init__(self, daemon: Path | None) -> None:
        self._daemon = daemon

    def describe(self) -> Iterable[Metric]:
        """Return nothing: what there is depends on the daemon."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield what the status says; without a daemon, only that it is not up."""
        try:
            status = client.read_status(self._daemon)
        except EventsError:
            yield GaugeMetricFamily("wakeword_up", _UP, 0)
            return
        yield GaugeMetricFamily("wakeword_up", _UP, 1)
        state = GaugeMetricFamily(
            "wakeword_state", "1 for the state that the daemon is in.", labels=["state"]
        )
        for name in get_args(StateName):
            state.add_metric([name], name == status.state)
        yield state
        yield from _families(status)


_UP = "Whether the daemon answers."


def _families(status: Status) -> Iterator[Metric]:
    capture = status.capture
    counters = {
        "hops": ("Blocks of 80 ms that went through the engine.", status.hops),
        "gaps": ("Times at which audio was missing.", status.gaps),
        "lost_seconds": ("Audio that was missing.", status.lost / SAMPLE_RATE),
        "capture_gaps": ("Times at which the microphone lost audio.", capture.gaps),
        "capture_lost_seconds": ("Audio that the microphone lost.", capture.lost / SAMPLE_RATE),
        "capture_overflows": ("Times the sound system dropped audio.", capture.overflows),
        "capture_reopened": ("Times the device was opened again.", capture.reopened),
        "events": ("Events that were published, detections and states.", status.sequence),
        "cpu_seconds": ("CPU time of the daemon.", status.cpu),
    }
    gauges = {
        "backlog_seconds": (
            "Audio that the engine has not heard yet.",
            status.backlog / SAMPLE_RATE,
        ),
        "subscribers": ("Connected programs, without this one.", _others(status)),
        "resident_memory_bytes": ("Memory of the daemon in RAM.", status.rss),
        "start_time_seconds": ("Unix time of the daemon's start.", time.time() - status.uptime),
    }
    for name, (about, value) in counters.items():
        yield CounterMetricFamily(f"wakeword_{name}", about, value)
    for name, (about, value) in gauges.items():
        yield GaugeMetricFamily(f"wakeword_{name}", about, value)


def _others(status: Status) -> int:
    ours = f"process {os.getpid()} "
    return sum(not one.peer.startswith(ours) for one in status.subscribers)


def _guarded(app: WSGIApplication) -> WSGIApplication:
    """Refuse web sites that are rebound to this machine."""
    names = hosts.own_names()

    def guarded(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if hosts.is_own(environ.get("HTTP_HOST", ""), names):
            return app(environ, start)
        start("421 Misdirected Request", [("Content-Type", "text/plain")])
        return [b"this is not an address or a name of this machine\n"]

    return guarded


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    timeout = 10
    """Seconds that a peer may take."""

    def log_message(self, *_: object) -> None:
        """Log nothing: a scrape is no news."""
