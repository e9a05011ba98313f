"""`wakeword page` over real HTTP, with a real daemon behind it."""

import contextlib
import email.utils
import json
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from support.daemon import PATIENCE, Daemon, recording, until, wakeword
from support.strangers import as_another_user, as_root
from support.webpage import WebPage, two_clips

from wakeword_daemon import config

pytestmark = pytest.mark.slow


@pytest.fixture
def daemon(tmp_path, settings):
    recording(tmp_path / "in.wav", 4.0, "jarvis-slt", 120.0)
    with Daemon("--config", settings, "--input", tmp_path / "in.wav") as running:
        running.notified("READY")
        yield running


@pytest.fixture
def alone(tmp_path, settings):
    """A page without a daemon."""
    with WebPage(tmp_path / "state", "--config", settings, "--socket", tmp_path / "s") as served:
        yield served


@pytest.fixture
def clips(tmp_path):
    return two_clips(tmp_path / "clips", *(np.full(32_000, n, np.int16) for n in (1000, 2000)))


# What is seen


def test_the_page_loads_nothing_from_other_hosts(alone):
    status, headers, content = alone.ask("GET", "/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    text = content.decode()
    assert "<script>" not in text
    assert " style=" not in text
    for link in re.findall(r'(?:src|href)="([^"]*)"', text):
        assert alone.ask("GET", f"/{link}")[0] == 200, link
        assert "://" not in link


def test_live_events_are_those_of_the_socket(page, daemon):
    seen = {}
    with contextlib.closing(page.live()) as events:
        for kind, data in events:
            seen.setdefault(kind, data)
            if {"telemetry", "detection"} <= seen.keys():
                break
    assert list(seen)[:2] == ["info", "state"]
    assert seen["info"]["state"] == "listening"
    assert seen["state"]["device"].endswith("in.wav")
    assert len(seen["telemetry"]["scores"]["jarvis"]) == 3
    assert seen["detection"]["name"] == "jarvis"
    until(lambda: len(daemon.status()["subscribers"]) == 1, "the end of watching")
    # Whoever comes later is told what was heard before.
    with contextlib.closing(page.live()) as events:
        kinds = [next(events)[0] for _ in range(3)]
    assert kinds == ["info", "state", "detection"]


def test_the_status_equals_that_of_the_daemon(page, daemon):
    assert page.read("/api/status")["pid"] == daemon.process.pid


# What is pressed


def test_it_pauses_and_resumes(page, daemon):
    status, paused = page.post("/api/pause", {"minutes": 5})
    assert status == 200
    assert daemon.status()["paused_until"] == paused["until"]
    assert page.post("/api/pause", {"minutes": None}) == (200, {"until": None})
    assert page.post("/api/resume") == (200, {"state": "listening", "reason": ""})
    assert daemon.status()["state"] == "listening"


def test_it_changes_and_saves_thresholds(page, settings):
    done = page.post("/api/threshold", {"word": "jarvis", "threshold": 0.4})
    assert done == (200, {"name": "jarvis", "threshold": 0.4, "saved": None})
    assert config.load(settings).words["jarvis"].threshold == 0.5
    status, done = page.post("/api/threshold", {"word": "jarvis", "threshold": 0.3, "save": True})
    assert (status, done["saved"]) == (200, str(settings))
    assert "threshold: 0.3  # ours" in settings.read_text()


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        ("/api/threshold", {"word": "computer", "threshold": 0.4}, 503, "no wake word is called"),
        ("/api/threshold", {"word": "jarvis", "threshold": 1.5}, 400, "is invalid"),
        ("/api/threshold", {"word": "jarvis", "threshold": 0.5, "x": 1}, 400, "is invalid"),
        ("/api/threshold", b"{", 400, "is invalid"),
        ("/api/threshold", b" " * 5000, 413, "too long"),
        ("/api/pause", {"minutes": 1e6}, 503, "minutes"),
        ("/api/nothing", {}, 404, "Not Found"),
    ],
)
def test_invalid_requests_are_refused_in_one_sentence(page, path, body, status, error):
    got, answer = page.post(path, body)
    assert (got, list(answer)) == (status, ["error"])
    assert error in answer["error"]


# Clips


def test_clips_are_listed_played_labelled_and_deleted(alone, clips):
    listed = alone.read("/api/clips")
    assert listed["folder"] == str(clips.path)
    near, detection = listed["clips"]
    assert (near["kind"], near["labels"]) == ("near-miss", ["missed", "right"])
    assert (detection["kind"], detection["labels"]) == ("detection", ["right", "wrong"])
    path = f"/api/clips/{detection['name']}"
    status, headers, audio = alone.ask("GET", path)
    assert (status, headers["Content-Type"]) == (200, "audio/flac")
    assert audio == clips.audio(detection["name"]).read_bytes()
    assert alone.post(f"{path}/label", {"label": "wrong"}) == (200, {"label": "wrong"})
    assert clips.read(detection["name"]).label == "wrong"
    assert alone.post(f"{path}/label", {"label": None}) == (200, {"label": None})
    assert clips.read(detection["name"]).label is None
    assert alone.post(path, method="DELETE") == (200, {})
    assert clips.names() == [near["name"]]
    assert not clips.audio(detection["name"]).exists()
    assert alone.ask("GET", path)[0] == 404


def test_a_wrong_label_and_a_missing_audio_file_are_reported(alone, clips):
    first = clips.names()[0]
    status, answer = alone.post(f"/api/clips/{first}/label", {"label": "missed"})
    assert (status, answer["error"]) == (404, "a detection is right or wrong, not missed")
    clips.audio(first).unlink()
    assert alone.ask("GET", f"/api/clips/{first}")[0] == 404


@pytest.mark.parametrize("name", ["..%2f..%2fsecret", "..", ".hidden", "%2fetc%2fpasswd", "a%00b"])
def test_nothing_outside_the_folder_is_touched(alone, clips, tmp_path, name):
    for suffix in ("json", "flac"):
        (tmp_path / f"secret.{suffix}").write_text("{}")
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/label")):
        body = {"label": None} if path else None
        status, _, content = alone.ask(method, f"/api/clips/{name}{path}", body, alone.origin)
        assert status in (404, 405), content
    assert (tmp_path / "secret.flac").exists()
    assert len(clips.names()) == 2


def test_without_clips_the_list_is_empty(alone, tmp_path):
    assert alone.read("/api/clips") == {"folder": str(tmp_path / "clips"), "clips": []}


# Who may


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "", "a:b:c"]
)
def test_a_foreign_host_is_refused(alone, host):
    for path in ("/", "/api/clips"):
        status, _, content = alone.ask("GET", path, headers={"Host": host})
        assert status == 421
        assert "not an address or a name" in json.loads(content)["error"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:5000", "127.0.0.1", "[::1]:80", "own"])
def test_every_address_of_this_machine_is_served(alone, host):
    host = socket.gethostname() if host == "own" else host
    assert alone.ask("GET", "/api/clips", headers={"Host": host})[0] == 200


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example", "http://127.0.0.1:1", "http://localhost"]
)
def test_only_the_page_itself_may_change_anything(alone, clips, origin):
    headers = {} if origin is None else {"Origin": origin}
    name = clips.names()[0]
    for method, path in (
        ("POST", "/api/pause"),
        ("POST", "/api/resume"),
        ("POST", "/api/threshold"),
        ("POST", f"/api/clips/{name}/label"),
        ("DELETE", f"/api/clips/{name}"),
    ):
        status, _, content = alone.ask(method, path, b"{}", headers)
        assert status == 403
        assert "by the page itself" in json.loads(content)["error"]
    assert len(clips.names()) == 2


def test_a_get_changes_nothing(page, daemon, clips):
    name = clips.names()[0]
    for path in ("/api/pause", "/api/resume", "/api/threshold", f"/api/clips/{name}/label"):
        status, answer = page.post(path, method="GET")
        assert (status, answer) == (405, {"error": "Method Not Allowed"})
    assert daemon.status()["state"] == "listening"


def test_forwarded_requests_need_the_token(alone):
    for header in ("X-Forwarded-For", "Forwarded", "Via"):
        status, _, content = alone.ask("GET", "/api/clips", headers={header: "for=192.0.2.7"})
        assert status == 401
        assert "token" in json.loads(content)["error"]
    for token, expected in ((alone.token, 200), (alone.token[:-1], 401), ("", 401), ("é", 401)):
        headers = {"Via": "1.1 proxy", "Authorization": f"Bearer {token}"}
        headers = {name: value.encode() for name, value in headers.items()}
        assert alone.ask("GET", "/api/clips", headers=headers)[0] == expected
    assert alone.ask("GET", "/", headers={"Via": "1.1 proxy"})[0] == 200


@as_root
def test_another_user_of_this_machine_needs_the_token(alone):
    def ask(**headers):
        return as_another_user(lambda: alone.ask("GET", "/api/clips", headers=headers)[0])

    assert ask() == 401
    assert ask(Authorization="Bearer wrong") == 401
    assert ask(Authorization=f"Bearer {alone.token}") == 200
    assert (alone._home / "wakeword/page-token").stat().st_mode & 0o777 == 0o600


@as_root
def test_another_user_that_hangs_up_at_once_is_still_another_user(page, daemon):
    """The kernel forgets whose a connection was when it is closed; that must admit nobody."""
    head = f"Host: 127.0.0.1:{page.port}\r\nOrigin: http://127.0.0.1:{page.port}\r\n"
    request = f"POST /api/pause HTTP/1.1\r\n{head}Content-Length: 2\r\n\r\n{{}}".encode()

    def hang_up():
        for _ in range(100):
            with socket.create_connection(("127.0.0.1", page.port)) as connection:
                connection.sendall(request)

    as_another_user(hang_up)
    # So many connections at once may be too many; then it has worked off what came before.
    until(lambda: page.ask("GET", "/api/clips")[0] == 200, "an answer")
    assert daemon.status()["state"] == "listening"


def test_the_token_is_kept_and_is_part_of_the_network_address(tmp_path, settings):
    served = WebPage(tmp_path / "state", "--config", settings, "--host", "0.0.0.0")  # noqa: S104
    with served:
        first, url = served.token, served.url
    with WebPage(tmp_path / "state", "--config", settings) as again:
        assert again.token == first
        assert first not in again.url
    assert url.endswith(f"/#{first}")
    assert len(first) >= 22


# What fails


def test_the_page_waits_for_a_daemon_and_says_so(alone, tmp_path, settings):
    told = alone.process.stderr.readline()
    assert told.startswith("wakeword: no daemon is listening")
    assert told.endswith("the page waits for it\n")
    status, answer = alone.post("/api/pause", {})
    assert status == 503
    assert "no daemon is listening" in answer["error"]
    recording(tmp_path / "in.wav", 60.0)
    with contextlib.closing(alone.live()) as events:
        kind, data = next(events)
        assert kind == "away"
        assert "waiting for it" in data["reason"]
        with Daemon(
            "--config", settings, "--input", tmp_path / "in.wav", "--socket", tmp_path / "s"
        ):
            assert next(events)[0] == "info"
            assert "telemetry" in (kind for kind, _ in events)
        assert "away" in (kind for kind, _ in events)


def test_a_port_in_use_is_reported_in_one_sentence(alone, settings):
    done = wakeword("page", "--config", settings, "--port", alone.port)
    assert done.returncode == 1
    assert done.stderr == (
        f"wakeword: cannot serve the page on 127.0.0.1 port {alone.port}: another program has"
        " it; choose another one with --port\n"
    )


def test_an_unknown_address_is_reported_in_one_sentence(settings):
    done = wakeword("page", "--config", settings, "--host", "nowhere.invalid")
    assert done.returncode == 1
    assert done.stderr.startswith("wakeword: cannot serve the page on nowhere.invalid port")
    assert wakeword("page", "--port", "70000").returncode == 2


@pytest.mark.parametrize("package", ["starlette", "uvicorn"])
def test_a_missing_extra_is_reported_with_its_command(package):
    code = f"""if True:
        import sys
        sys.modules[{package!r}] = None
        from wakeword_daemon.cli import main
        sys.exit(main(["page"]))
    """
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"the page needs the package {package}" in done.stderr
    assert "pip install '.[page]'" in done.stderr


def test_it_sleeps_while_nobody_asks(alone):
    headers = alone.ask("GET", "/")[1]
    asked = email.utils.parsedate_to_datetime(headers["Date"])
    assert abs(asked.timestamp() - time.time()) < 60
    time.sleep(0.2)  # until the connection is closed
    before = switches(alone.process.pid)
    time.sleep(1.5)
    assert switches(alone.process.pid) - before < 5  # uvicorn's own loop wakes fifteen times


def switches(pid):
    """Return how often a process has woken up."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.MULTILINE)[1])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_while_a_browser_is_connected(page, number):
    with contextlib.closing(page.live()) as events:
        next(events)
        page.process.send_signal(number)
        assert "Traceback" not in page.process.communicate(timeout=PATIENCE)[1]
    assert page.process.returncode in (-number, 128 + number)
