"""`wakeword metrics`, scraped over HTTP and read by Prometheus' own parser."""

import http.client
import signal
import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.daemon import PATIENCE, WAKEWORD, Daemon, recording, until, wakeword

import wakeword_daemon

pytestmark = pytest.mark.slow


class Exporter:
    """`wakeword metrics --port 0`, as a context manager."""

    def __init__(self, socket):
        self._socket = socket

    def __enter__(self):
        self.process = subprocess.Popen(
            [*WAKEWORD, "metrics", "--port", "0", "--socket", str(self._socket)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        url = self.process.stdout.readline().strip()
        assert url.endswith("/metrics"), self.process.stderr.read()
        self.port = int(url.rpartition(":")[2].partition("/")[0])
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate(timeout=PATIENCE)

    def get(self, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request("GET", "/metrics", headers=headers or {})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def scrape(self):
        """Return every sample by its name, and its labels' values after it."""
        status, text = self.get()
        assert status == 200, text
        return {
            " ".join((sample.name, *sample.labels.values())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


@pytest.fixture
def daemon(tmp_path):
    recording(tmp_path / "in.wav", 8.0, "jarvis-slt", 120.0)
    (tmp_path / "config.yaml").write_text("words: {jarvis: {}, alexa: {}}")
    options = ("--config", tmp_path / "config.yaml", "--input", tmp_path / "in.wav")
    with Daemon(*options) as running:
        running.notified("READY")
        yield running


def over_its_threshold(scrape):
    """Return the scrape once a score of jarvis was counted that is over 0.5."""
    count = scrape.get("wakeword_score_count jarvis", 0)
    return scrape if count > scrape.get("wakeword_score_bucket 0.5 jarvis", 0) else None


def test_a_scrape_has_the_status_and_the_detections(daemon):
    with Exporter(daemon.socket) as exporter:
        first = exporter.scrape()
        assert first["wakeword_up"] == 1
        assert first["wakeword_state listening"] == 1
        assert first["wakeword_state paused"] == first["wakeword_state deaf"] == 0
        before = until(lambda: over_its_threshold(exporter.scrape()), "a score over the threshold")
        after = exporter.scrape()
        status = daemon.status()
        assert before["wakeword_hops_total"] <= after["wakeword_hops_total"] <= status["hops"]
        assert after["wakeword_detections_total jarvis"] == 1
        assert after["wakeword_detections_total alexa"] == 0
        assert after["wakeword_threshold alexa"] == 0.5
        assert after["wakeword_gaps_total"] == after["wakeword_lost_seconds_total"] == 0
        assert after["wakeword_subscribers"] == 0
        assert after["wakeword_events_total"] == status["sequence"]
        assert 0 < after["wakeword_cpu_seconds_total"] <= status["cpu"]
        assert after["wakeword_resident_memory_bytes"] > 1e7
        assert -100 <= after["wakeword_level_dbfs"] <= 0
        counted = after["wakeword_score_count jarvis"]
        assert counted == after["wakeword_score_count alexa"] > 3
        assert after["wakeword_score_bucket +Inf jarvis"] == counted
        assert after["wakeword_score_bucket 0.5 alexa"] == counted
        wakeword_daemon.pause(socket=daemon.socket)
        assert exporter.scrape()["wakeword_state paused"] == 1


def test_the_daemon_is_watched_only_while_the_exporter_runs(daemon):
    with Exporter(daemon.socket) as exporter:
        until(lambda: len(daemon.status()["subscribers"]) == 2, "a watcher")
        exporter.process.send_signal(signal.SIGTERM)
        assert exporter.process.wait(PATIENCE) == 130
    until(lambda: len(daemon.status()["subscribers"]) == 1, "the end of watching")


def test_without_a_daemon_the_metrics_say_that_it_is_down(tmp_path):
    recording(tmp_path / "in.wav", 120.0)
    with Exporter(tmp_path / "s") as exporter:
        assert exporter.scrape()["wakeword_up"] == 0
        with Daemon("--input", tmp_path / "in.wav", "--socket", tmp_path / "s"):
            until(lambda: exporter.scrape()["wakeword_up"], "the daemon")
            until(lambda: exporter.scrape().get("wakeword_score_count jarvis"), "a score")
        assert exporter.scrape()["wakeword_up"] == 0


def test_a_rebound_host_name_is_refused(tmp_path):
    with Exporter(tmp_path / "s") as exporter:
        status, text = exporter.get({"Host": "evil.example"})
        assert (status, text) == (421, "this is not an address or a name of this machine\n")
        assert exporter.get({"Host": "localhost:1"})[0] == 200
        done = wakeword("metrics", "--port", exporter.port)
    assert done.returncode == 1
    assert done.stderr == (
        f"wakeword: cannot serve metrics on 127.0.0.1 port {exporter.port}: another program"
        " has it; choose another one with --port\n"
    )


def test_a_missing_extra_is_reported_with_its_command():
    code = """if True:
        import sys
        sys.modules["prometheus_client"] = None
        from wakeword_daemon.cli import main
        sys.exit(main(["metrics"]))
    """
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "serving metrics needs the package prometheus_client" in done.stderr
    assert "pip install '.[metrics]'" in done.stderr
