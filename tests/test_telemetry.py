"""Telemetry on the socket, and requests to it: pauses and thresholds."""

import array
import fcntl
import itertools
import signal
import subprocess
import termios

import pytest
import soundfile
from support.daemon import PATIENCE, Daemon, recording, until, wakeword
from support.eventserver import Peer, RunningServer, detection
from support.soundserver import PulseServer

import wakeword_daemon
from wakeword_daemon import config
from wakeword_daemon.clock import HOP
from wakeword_daemon.errors import EventsError
from wakeword_daemon.events.items import Away
from wakeword_daemon.events.protocol import Detection, Info, StateChanged, Telemetry
from wakeword_daemon.events.sockets import Tcp

pytestmark = [pytest.mark.sound, pytest.mark.slow]


@pytest.fixture
def minute(tmp_path):
    path = tmp_path / "minute.wav"
    recording(path, 3.0, "jarvis-slt", 56.0)
    return path


def batch(hop=1):
    return Telemetry(
        hop=hop,
        sample=3 * HOP,
        wall_time=1.0,
        level=[-60.0] * 3,
        noise=[-65.0] * 3,
        scores={"jarvis": [0.1, 0.2, 0.3]},
        thresholds={"jarvis": 0.5},
    )


# The server


def test_telemetry_goes_only_to_watchers_and_is_measured_only_for_them():
    watched = []
    with RunningServer(on_watched=watched.append) as server:
        with server.connect() as watcher, server.connect() as other:
            assert watcher.ask("watch", answer="watching") == {"on": True}
            assert watcher.ask("watch", answer="watching") == {"on": True}
            assert other.ask("watch", {"on": False}, answer="watching") == {"on": False}
            server.call(server.server.show, batch())
            server.publish(detection())
            assert other.read()["type"] == "detection"
            assert {watcher.read()["type"], watcher.read()["type"]} == {"telemetry", "detection"}
            watcher.send("watch", {"on": False})
            watcher.expect("watching")
            server.call(server.server.show, batch())
            assert watcher.ask("ping", answer="pong") == {"text": None}
            assert watched == [True, False]
            watcher.ask("watch", answer="watching")
        until(lambda: watched == [True, False, True, False], "the end of watching")


def test_telemetry_is_never_replayed():
    with RunningServer() as server, server.connect() as first:
        first.ask("watch", answer="watching")
        server.publish(detection())
        server.call(server.server.show, batch())
        with server.connect() as late:
            late.ask("subscribe", {"after_sequence": 0}, answer="subscribed")
            late.expect("detection")
            late.ask("watch", answer="watching")
            assert late.ask("ping", answer="pong") == {"text": None}


def test_a_slow_watcher_loses_old_telemetry_but_no_event():
    with RunningServer() as server, server.connect() as peer:
        peer.ask("watch", answer="watching")

        def flood():
            for hop in range(1, 41):
                server.server.show(batch(hop))
                if hop % 10 == 0:
                    server.server.publish(detection())

        server.call(flood)
        peer.send("ping", {"text": "end"})
        got = list(iter(peer.read, {"type": "pong", "data": {"text": "end"}}))
    kinds = [event["type"] for event in got]
    assert kinds.count("detection") == 4
    hops = [event["data"]["hop"] for event in got if event["type"] == "telemetry"]
    assert len(hops) == 8
    assert hops == sorted(hops)
    assert hops[-1] == 40


@pytest.mark.parametrize("token", [None, "secret"])
def test_over_tcp_nothing_can_be_changed(token):
    class Control:
        pass

    with RunningServer(tcp=Tcp(0, token=token), control=Control()) as server:
        address = server.call(lambda: server.server.addresses)[1].removeprefix("tcp://")
        host, _, port = address.rpartition(":")
        with Peer((host, int(port))) as peer:
            if token:
                peer.send("authenticate", {"token": token})
            for request in ("pause", "resume", "set-threshold"):
                error = peer.ask(request, {"name": "jarvis", "threshold": 0.5}, answer="error")
                assert error["code"] == "not-allowed"
            assert peer.ask("watch", answer="watching") == {"on": True}


# The daemon


def test_a_watcher_gets_level_noise_and_scores_of_every_hop(minute):
    with Daemon("--input", minute) as daemon:
        daemon.notified("READY")
        seen = []
        for item in wakeword_daemon.watch(daemon.socket, timeout=PATIENCE):
            seen.append(item)
            if isinstance(item, Detection):
                break
        assert isinstance(seen[0], Info)
        hops = [item for item in seen if isinstance(item, Telemetry)]
        assert len(hops) >= 4
        for before, after in itertools.pairwise(hops):
            assert after.hop == before.hop + 3
            assert after.sample == before.sample + 3 * HOP
            assert after.wall_time > before.wall_time
        for one in hops:
            assert len(one.level) == len(one.noise) == len(one.scores["jarvis"]) == 3
            assert one.thresholds == {"jarvis": 0.5}
        heard = seen[-1]
        assert min(hops[0].level) < -80
        assert max(hops[-1].level) > -60
        assert heard.snr > 20
        assert heard.noise < -80
        subscribers = until(lambda: (s := daemon.status()["subscribers"]) and s, "the end")
        assert len(subscribers) == 1


def test_watching_resumes_after_a_restart(minute):
    with Daemon("--input", minute) as daemon:
        daemon.notified("READY")
        watch = wakeword_daemon.watch(daemon.socket, timeout=PATIENCE)
        assert isinstance(next(watch), Info)
        next(item for item in watch if isinstance(item, Telemetry))
        daemon.stop(signal.SIGKILL)
        away = next(item for item in watch if isinstance(item, Away))
        assert "went away" in away.reason
        with Daemon("--input", minute, "--socket", daemon.socket) as successor:
            successor.notified("READY")
            assert isinstance(next(item for item in watch if not isinstance(item, Away)), Info)
            assert next(item for item in watch if isinstance(item, Telemetry)).hop < 60
        watch.close()


def test_the_microphone_is_closed_during_a_pause(tmp_path):
    recording(tmp_path / "word.wav", 0.5, "jarvis-slt", 1.0)
    with PulseServer() as room, Daemon(settings=room.env()) as daemon:
        room.hum()
        daemon.notified("READY")
        assert records(room, daemon)
        listener = daemon.listen("--count", 1, "--timeout", PATIENCE)
        watch = wakeword_daemon.watch(daemon.socket, timeout=PATIENCE)
        assert next(watch).state == "listening"
        done = wakeword("pause", "--socket", daemon.socket)
        assert (done.returncode, done.stdout) == (0, "paused until `wakeword resume`\n")
        assert not records(room, daemon)
        changed = next(item for item in watch if isinstance(item, StateChanged))
        assert (changed.state, changed.paused_until, changed.device) == ("paused", None, None)
        assert daemon.notified("STATUS") == "paused until `wakeword resume`"
        room.play(tmp_path / "word.wav")  # must not be detected
        status = daemon.status()
        assert (status["state"], status["reason"]) == ("paused", "until `wakeword resume`")
        assert wakeword("status", "--socket", daemon.socket).returncode == 1
        done = wakeword("resume", "--socket", daemon.socket)
        assert (done.returncode, done.stdout) == (0, "listening\n")
        assert records(room, daemon)
        room.play(tmp_path / "word.wav")
        out, _ = listener.communicate(timeout=PATIENCE)
        assert len(out.splitlines()) == daemon.log.count("heard jarvis") == 1
        status = daemon.status()
        assert status["gaps"] == status["lost"] == 0
        capture = status["capture"]
        assert capture["gaps"] == capture["lost"] == capture["reopened"] == 0
        assert "unheard" not in daemon.log


def records(room, daemon):
    """Return whether the daemon records from the microphone, by the word of the sound server."""
    return f'application.process.id = "{daemon.process.pid}"' in room.pactl(
        "list", "source-outputs"
    )


def test_a_pause_ends_by_itself_and_can_be_extended(minute):
    with Daemon("--input", minute) as daemon:
        daemon.notified("READY")
        watch = wakeword_daemon.watch(daemon.socket, timeout=PATIENCE)
        states = (item for item in watch if isinstance(item, StateChanged))
        assert isinstance(next(watch), Info)
        paused = wakeword_daemon.pause(60, socket=daemon.socket)
        assert next(states).paused_until == paused.until
        again = wakeword_daemon.pause(0.02, socket=daemon.socket)
        assert again.until < paused.until
        assert next(states).paused_until == again.until
        resumed = next(states)
        assert (resumed.state, resumed.paused_until) == ("listening", None)
        assert resumed.wall_time >= again.until
        # The recording continues where it was: the word is still to come.
        next(item for item in watch if isinstance(item, Detection))
        watch.close()
        assert wakeword_daemon.resume(socket=daemon.socket).state == "listening"


def test_audio_piped_in_during_a_pause_is_dropped(tmp_path):
    recording(tmp_path / "word.wav", 1.0, "jarvis-slt", 1.0)
    pcm = soundfile.read(tmp_path / "word.wav", dtype="int16")[0].astype("<i2").tobytes()
    with Daemon("--input", "-", stdin=subprocess.PIPE) as daemon:
        daemon.notified("READY")
        listener = daemon.listen("--timeout", PATIENCE)
        wakeword_daemon.pause(socket=daemon.socket)
        daemon.process.stdin.write(pcm)
        daemon.process.stdin.flush()
        until(lambda: not poll_pipe(daemon.process.stdin), "the pipe to be read")
        assert wakeword_daemon.resume(socket=daemon.socket).state == "listening"
        daemon.process.stdin.write(pcm)
        daemon.process.stdin.close()
        assert daemon.process.wait(PATIENCE) == 0
        listener.terminate()
        assert daemon.log.count("heard jarvis") == 1
        assert "unheard" not in daemon.log


def poll_pipe(pipe):
    """Return how many bytes wait in a pipe."""
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


def test_a_threshold_is_changed_live_and_saved(tmp_path, minute):
    path = tmp_path / "config.yaml"
    path.write_text("words:\n  jarvis:\n    threshold: 0.9999999  # too high\n")
    with Daemon("--config", path, "--input", minute) as daemon:
        daemon.notified("READY")
        watch = wakeword_daemon.watch(daemon.socket, timeout=PATIENCE)
        next(item for item in watch if isinstance(item, Telemetry))
        done = wakeword_daemon.set_threshold("jarvis", 0.4, socket=daemon.socket)
        assert done.saved is None
        until(lambda: thresholds(watch) == {"jarvis": 0.4}, "the new threshold")
        assert "too high" in path.read_text()
        assert config.load(path).words["jarvis"].threshold == 0.9999999
        done = wakeword_daemon.set_threshold("jarvis", 0.3, save=True, socket=daemon.socket)
        assert done.saved == str(path)
        assert path.read_text() == "words:\n  jarvis:\n    threshold: 0.3  # too high\n"
        assert daemon.status()["gaps"] == 0
        watch.close()
        with Peer(daemon.socket) as peer:
            (program,) = peer.ask("describe", answer="info")["wake"]
        assert program["models"][0]["threshold"] == 0.3
        listener = daemon.listen("--count", 1, "--timeout", PATIENCE)
        assert b"jarvis" in listener.communicate(timeout=PATIENCE)[0]


def thresholds(watch):
    return next(item for item in watch if isinstance(item, Telemetry)).thresholds


def test_refused_requests_are_sentences_and_change_nothing(tmp_path, minute):
    path = tmp_path / "config.yaml"
    path.write_text("words: {jarvis: &j {threshold: 0.9}, alexa: *j}")
    with Daemon("--config", path, "--input", minute) as daemon:
        daemon.notified("READY")
        with pytest.raises(EventsError, match="no wake word is called 'alexandra'"):
            wakeword_daemon.set_threshold("alexandra", 0.5, socket=daemon.socket)
        with pytest.raises(EventsError, match=r"set words\.jarvis\.threshold to 0\.5 in it"):
            wakeword_daemon.set_threshold("jarvis", 0.5, save=True, socket=daemon.socket)
        with pytest.raises(EventsError, match="threshold"):
            wakeword_daemon.set_threshold("jarvis", 1.5, socket=daemon.socket)
        with Peer(daemon.socket) as peer:
            (program,) = peer.ask("describe", answer="info")["wake"]
        assert {model["threshold"] for model in program["models"]} == {0.9}
        done = wakeword("pause", "100000", "--socket", daemon.socket)
        assert done.returncode == 2
        assert "more than a week" in done.stderr


def test_pause_without_a_daemon_is_an_error(tmp_path):
    for command in ("pause", "resume"):
        done = wakeword(command, "--socket", tmp_path / "s")
        assert done.returncode == 1
        assert "no daemon is listening" in done.stderr
