"""The units under real service managers: a user's, and the PID 1 of a small machine.

Nothing is replaced by a mock: the units are the shipped ones, the daemon listens to a sound
server's microphone, and `wakeword listen` prints the events.
"""

import grp
import json
import time

import pytest
from support.daemon import recording
from support.soundserver import PulseServer
from support.systemd import PATIENCE, SERVICE, SOCKET, WAKEWORD, SystemManager, UserManager

pytestmark = [pytest.mark.sound, pytest.mark.systemd]

LISTENING = "listening for jarvis on default at 16000 Hz"
ONCE = ("--count", "1", "--timeout", "20")


@pytest.fixture(scope="module")
def room():
    """A microphone in a quiet room."""
    with PulseServer() as server:
        server.hum()
        yield server


@pytest.fixture(scope="module")
def word(tmp_path_factory):
    path = tmp_path_factory.mktemp("speech") / "word.wav"
    recording(path, 0.3, "jarvis-slt", 0.7)
    return path


@pytest.fixture
def manager(room):
    with UserManager(room) as manager:
        yield manager


def heard(listener):
    """Wait until a listener has what it wanted; return the events it printed."""
    out, complaint = listener.communicate(timeout=PATIENCE)
    assert listener.returncode == 0, complaint
    return [json.loads(line) for line in out.splitlines()]


def running(manager):
    return manager.show("ActiveState") == "active"


def subscribed(manager):
    """Return whether there is a subscriber besides this request."""
    return running(manager) and len(manager.status()["subscribers"]) > 1


@pytest.mark.parametrize("owner", [1000, 0])
def test_the_user_service_reports_a_word_and_stops(room, word, owner):
    with UserManager(room, owner) as manager:
        manager.systemctl("start", SERVICE)
        assert manager.show("StatusText") == LISTENING
        assert manager.status()["state"] == "listening"
        listener = manager.listen(*ONCE)
        room.play(word)
        (event,) = heard(listener)
        assert event["name"] == "jarvis"
        manager.stop()
        assert not manager.socket.exists()
        assert "Traceback" not in manager.log


def test_the_user_service_becomes_active_with_the_first_audio(room, manager):
    room.stop_hang()
    try:
        manager.systemctl("start", "--no-block", SERVICE)
        manager.until(lambda: "events are sent on" in manager.log, "the start of the daemon")
        assert manager.show("ActiveState") == "activating"
    finally:
        room.resume()
    manager.until(lambda: running(manager), "the end of the start")
    assert manager.show("StatusText") == LISTENING


def test_a_killed_daemon_is_restarted_and_its_subscriber_reconnects(room, word, manager):
    manager.systemctl("start", SERVICE)
    listener = manager.listen("--count", "2", "--timeout", str(PATIENCE))
    room.play(word)
    first = manager.until(lambda: manager.status()["last_detection"], "a detection")
    manager.systemctl("kill", "--kill-whom=main", "--signal=KILL", SERVICE)
    manager.until(lambda: manager.show("NRestarts") == "1", "a restart")
    manager.until(lambda: subscribed(manager), "the listener's return")
    room.play(word)
    before, after = heard(listener)
    assert before["sequence"] == first["sequence"]
    assert before["start_id"] == first["start_id"] < after["start_id"]


def test_a_hung_sound_library_leads_to_a_restart(room, word, manager):
    manager.write(manager.config, "audio: {device: default}\n")  # PortAudio hangs with it
    manager.systemctl("start", SERVICE)
    listener = manager.listen("--count", "1", "--timeout", str(PATIENCE))
    room.stop_hang()
    try:
        manager.until(lambda: manager.show("NRestarts") == "1", "a restart")
    finally:
        room.resume()
    assert "the sound library has hung" in manager.log
    manager.until(lambda: subscribed(manager), "the listener's return")
    manager.until(lambda: manager.status()["state"] == "listening", "sound")
    room.play(word)
    (event,) = heard(listener)
    assert event["name"] == "jarvis"


def test_the_watchdog_replaces_a_daemon_that_hangs(manager):
    # As shipped, but less patient.
    manager.write(
        f"{manager.units}/{SERVICE}.d/patience.conf", "[Service]\nWatchdogSec=2\nLimitCORE=0\n"
    )
    manager.systemctl("daemon-reload")
    manager.systemctl("start", SERVICE)
    hung = manager.show("MainPID")
    manager.systemctl("kill", "--kill-whom=main", "--signal=STOP", SERVICE)
    manager.until(lambda: manager.show("NRestarts") == "1", "a restart")
    manager.until(lambda: running(manager), "the end of the restart")
    assert manager.show("MainPID") != hung
    assert manager.status()["state"] == "listening"


def test_a_connecting_listener_starts_the_daemon(room, word, manager):
    manager.systemctl("start", SOCKET)
    assert manager.show("ActiveState") == "inactive"
    listener = manager.start(*WAKEWORD, "listen", "--json", *ONCE)
    manager.until(lambda: subscribed(manager), "the start of the daemon")
    room.play(word)
    (event,) = heard(listener)
    assert event["name"] == "jarvis"


def test_a_stopped_daemon_stays_stopped_while_a_subscriber_waits(room, word, manager):
    manager.systemctl("start", SERVICE)
    listener = manager.listen("--count", "2", "--timeout", str(PATIENCE))
    room.play(word)
    manager.until(lambda: manager.status()["last_detection"], "a detection")
    manager.systemctl("stop", SERVICE)
    # The subscriber knocks ten times a second at first; the manager must not answer with a start.
    for _ in range(20):
        time.sleep(0.1)
        assert manager.show("ActiveState") == "inactive"
    assert not manager.socket.exists()
    manager.systemctl("start", SERVICE)
    manager.until(lambda: subscribed(manager), "the listener's return")
    room.play(word)
    assert [event["name"] for event in heard(listener)] == ["jarvis", "jarvis"]


def test_a_subscriber_that_connects_while_the_daemon_restarts_is_served(room, word, manager):
    manager.systemctl("start", SERVICE)
    manager.systemctl("kill", "--kill-whom=main", "--signal=KILL", SERVICE)
    listener = manager.start(*WAKEWORD, "listen", "--json", *ONCE)
    manager.until(lambda: manager.show("NRestarts") == "1", "a restart")
    manager.until(lambda: subscribed(manager), "a subscription")
    room.play(word)
    (event,) = heard(listener)
    assert event["name"] == "jarvis"


def test_a_daemon_started_by_hand_learns_that_systemd_has_the_socket(manager):
    manager.systemctl("start", SOCKET)
    by_hand = manager.start(*WAKEWORD, "run")
    _, complaint = by_hand.communicate(timeout=PATIENCE)
    assert by_hand.returncode == 1
    path = "/run/user/1000/wakeword/events.sock"
    assert f"systemd listens on {path} for the service: stop it first" in complaint
    # What it advises works.
    assert "`systemctl --user stop wakeword.socket`" in complaint
    manager.systemctl("stop", SOCKET)
    assert not manager.socket.exists()
    by_hand = manager.start(*WAKEWORD, "run")
    manager.until(manager.socket.exists, "a socket")
    manager.run("kill", str(manager.status()["pid"]))
    by_hand.communicate(timeout=PATIENCE)
    assert by_hand.returncode == 0


def test_reload_applies_valid_settings_and_fails_for_invalid_ones(room, word, manager):
    manager.write(manager.config, "words: {jarvis: {threshold: 0.9999999}}")
    manager.systemctl("start", SERVICE)
    listener = manager.listen("--count", "2", "--timeout", str(PATIENCE))
    begin = manager.status()
    room.play(word)
    manager.write(manager.config, "words: {jarvis: {threshold: 0.5}}")
    manager.systemctl("reload", SERVICE)
    manager.until(lambda: "reloaded the config" in manager.log, "the reload")
    assert manager.status()["last_detection"] is None
    room.play(word)
    manager.until(lambda: manager.status()["last_detection"], "a detection")
    manager.write(manager.config, "words: {jarvis: {treshold: 0.9}}")
    refused = manager.start("systemctl", "--user", "reload", SERVICE)
    assert "failed" in refused.communicate(timeout=PATIENCE)[1]
    assert refused.returncode != 0
    assert "unknown key words.jarvis.treshold" in manager.log
    assert manager.show("ActiveState") == "active"
    assert manager.show("StatusText") == LISTENING
    room.play(word)
    one, two = heard(listener)
    end = manager.status()
    assert one["sequence"] < two["sequence"]
    assert (end["pid"], end["start_id"]) == (begin["pid"], begin["start_id"])
    assert end["subscribers"] != begin["subscribers"]  # it left when it had both
    assert end["gaps"] == end["lost"] == 0


def test_the_system_service_works_in_its_sandbox_for_its_group_only(room, word):
    audio = grp.getgrnam("audio").gr_gid
    with SystemManager(room) as manager:
        manager.write(manager.config, "socket: {group: audio}")
        manager.systemctl("start", SERVICE)
        assert manager.show("StatusText") == LISTENING

        process = manager.path(f"/proc/{manager.show('MainPID')}")
        status = (process / "status").read_text().splitlines()
        sandbox = {key: value.split() for key, value in (line.split(":", 1) for line in status)}
        assert "0" not in sandbox["Uid"]
        assert str(audio) in sandbox["Groups"]
        assert sandbox["NoNewPrivs"] == ["1"]
        assert sandbox["Seccomp"] == ["2"]
        assert int(sandbox["CapBnd"][0], 16) == 0
        mounts = [line.split() for line in (process / "mounts").read_text().splitlines()]
        assert all(mount[3].startswith("ro") for mount in mounts if mount[1] == "/")

        stranger = manager.start(*WAKEWORD, "listen", user=4321)
        _, complaint = stranger.communicate(timeout=PATIENCE)
        assert stranger.returncode == 1
        assert "only that user may connect" in complaint

        member = manager.listen(*ONCE, user=4321, groups=str(audio))
        owner = manager.listen(*ONCE)
        room.play(word)
        assert heard(member) == heard(owner)

        journal = manager.run("journalctl", f"--unit={SERVICE}", "--output=json")
        entries = [json.loads(line) for line in journal.splitlines()]
        assert {"6"} == {entry["PRIORITY"] for entry in entries if entry["MESSAGE"] == LISTENING}
        manager.stop()
        assert not manager.socket.exists()
        assert "Traceback" not in manager.log


def test_the_sandbox_allows_programs_and_clips(room, word, manager):
    manager.write(
        manager.config,
        "on_detection:\n  command: [sh, -c, 'echo acted on $WAKEWORD_NAME']\n"
        "clips:\n  keep: true\n",
    )
    manager.systemctl("start", SERVICE)
    room.play(word)
    manager.until(lambda: "acted on jarvis" in manager.log, "the program")
    manager.until(
        lambda: list(manager.path("/mnt/home/.local/state/wakeword/clips").glob("*.json")), "a clip"
    )
