"""Too little of what a daemon needs: CPU time, memory, disk, file descriptors, network."""

import contextlib
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support.daemon import AUDIO, WAKEWORD, Daemon, events, recording, until
from support.eventserver import Peer
from support.limits import Network, fill, little_cpu, remount, small_disk
from support.witness import Witness

from wakeword_daemon.events import client
from wakeword_daemon.events.connection import connect
from wakeword_daemon.events.framing import MAX_BYTES

PORT = 10_713

pytestmark = [pytest.mark.sound, pytest.mark.slow]


@pytest.fixture
def word(tmp_path):
    path = tmp_path / "word.wav"
    recording(path, 0.3, "jarvis-slt", 0.6)
    return path


def hears(daemon, say):
    """Say the word; assert that it is an event."""
    before = daemon.status()["last_detection"]
    say()
    until(lambda: daemon.status()["last_detection"] != before, "a detection")


@contextlib.contextmanager
def piped_daemon(*arguments, **options):
    """Yield a daemon that hears a pipe, and what says a word into it, which takes no time."""
    word, _ = soundfile.read(AUDIO / "jarvis-slt.flac", dtype="int16")
    pcm = np.concatenate((np.zeros(8_000), word, np.zeros(32_000)))
    with Daemon("--input", "-", *arguments, stdin=subprocess.PIPE, **options) as daemon:

        def say():
            daemon.process.stdin.write(pcm.astype("<i2").tobytes())
            daemon.process.stdin.flush()

        daemon.notified("READY")
        yield daemon, say


def asked(peer):
    """Return the status; other events are skipped."""
    peer.send("status")
    while (answer := peer.read())["type"] != "status":
        pass
    return answer["data"]


def refused_to_save(daemon):
    """Ask for another threshold in the config; return why that is refused."""
    with Peer(daemon.socket) as peer:
        wish = {"name": "jarvis", "threshold": 0.6, "save": True}
        return peer.ask("set-threshold", wish, answer="error")["text"]


def files(folder):
    return sorted(path.name for path in folder.glob("*"))


@contextlib.contextmanager
def busy_machine():
    """Use every core."""
    busy = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        for _ in range(os.cpu_count() or 1)
    ]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def test_a_twentieth_of_a_core_is_enough(room, word):
    """The daemon hears a word although other programs use every core.

    The sound server goes first. Without CPU time for more than a second it delivers nothing, so the
    daemon opens the microphone again, and what the server still held is lost. That is the only way
    in which words were missed: of 88 plays beside 2 to 24 busy programs, all 76 were heard in which
    the microphone stayed open, and 7 of the other 12. Each of the 5 missed words was whole in a
    recording of the same source. In 3 of them the control group was looked at: it had never held
    the daemon back.
    """
    with Daemon(settings=room.env()) as daemon, contextlib.ExitStack() as stack:
        daemon.notified("READY")
        # One look after each word: asking again and again would take more than a twentieth.
        peer = stack.enter_context(Peer(daemon.socket))
        with little_cpu(daemon.process.pid, 0.05), busy_machine():
            room.go_first()
            ends = []
            for _ in range(10):  # in case the sound server gets no time all the same
                witness = Witness(room)
                room.play(word)
                ends.append(witness.end_of_speech())
                if (status := asked(peer))["last_detection"]:
                    break
    # A detection may come so late that it is seen only after another play.
    assert min(abs(status["last_detection"]["wall_time"] - end) for end in ends) < 0.3
    assert status["state"] == "listening"


def test_exhausted_memory_only_ends_connections():
    with piped_daemon() as (daemon, say), contextlib.ExitStack() as stack:
        hears(daemon, say)
        subscriber = stack.enter_context(Peer(daemon.socket))
        subscriber.ask("subscribe", {}, answer="subscribed")
        pid = daemon.process.pid
        need = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
        limit = need + 10 * 2**20
        resource.prlimit(pid, resource.RLIMIT_AS, (limit, limit))
        # Peers that hold back the end of a largest frame, and would take 10 MiB more.
        frame = b'{"type":"audio-chunk","payload_length":%d}\n' % MAX_BYTES + bytes(MAX_BYTES - 1)
        peers = []
        for _ in range(60):
            peers.append(stack.enter_context(connect(daemon.socket)))
            with contextlib.suppress(OSError):
                peers[-1].sendall(frame)
        say()
        for peer in peers:
            peer.close()
        say()
        assert [subscriber.expect("detection")["sequence"] for _ in range(2)] == [3, 4]
        assert daemon.status()["state"] == "listening"
        assert daemon.status()["lost"] == 0


def test_a_full_or_read_only_disk_only_loses_clips():
    with small_disk() as disk:
        (config := disk / "config.yaml").write_text(f"clips: {{keep: true, folder: {disk}/clips}}")
        with piped_daemon("--config", config) as (daemon, say):
            hears(daemon, say)
            until(lambda: len(files(disk / "clips")) == 2, "a clip")
            kept, said = files(disk / "clips"), config.read_text()
            ballast = fill(disk)
            hears(daemon, say)
            until(lambda: "No space left on device" in daemon.log, "a warning")
            (problem,) = daemon.status()["problems"]
            assert problem["name"] == "clips"
            assert "No space left on device" in refused_to_save(daemon)
            assert files(disk / "clips") == kept
            assert files(disk) == ["ballast", "clips", "config.yaml"]
            assert config.read_text() == said
            ballast.unlink()
            remount(disk, "ro")
            hears(daemon, say)
            until(lambda: "Read-only file system" in daemon.log, "a warning")
            assert "Read-only file system" in refused_to_save(daemon)
            remount(disk, "rw")
            hears(daemon, say)
            until(lambda: len(files(disk / "clips")) == 4, "a clip")
            until(lambda: "clips are kept again" in daemon.log, "a notice")
            until(lambda: not daemon.status()["problems"], "no problem")


def test_a_full_disk_under_the_log_only_loses_lines():
    with small_disk() as disk:
        (log := disk / "log").touch()
        logged = ("sh", "-c", f'exec "$@" 2>> {log}', "sh", *WAKEWORD)
        with piped_daemon(command=logged) as (daemon, say):
            hears(daemon, say)
            until(lambda: "heard jarvis" in log.read_text(), "a line")
            ballast = fill(disk)
            with log.open("ab") as file:  # the rest of its last page
                file.write(b"\n" * (-file.tell() % os.sysconf("SC_PAGE_SIZE")))
            before = log.read_text()
            for _ in range(3):
                hears(daemon, say)
            assert log.read_text() == before
            ballast.unlink()
            hears(daemon, say)
            until(lambda: log.read_text().removeprefix(before).count("heard jarvis") == 1, "a line")
            assert daemon.status()["sequence"] == 6
            assert daemon.stop() == 0


def test_a_log_that_nobody_reads_only_loses_lines(tmp_path):
    os.mkfifo(log := tmp_path / "log")
    pipe = os.open(log, os.O_RDWR | os.O_NONBLOCK)
    read = b""

    def logged(text):
        nonlocal read
        with contextlib.suppress(BlockingIOError):
            while True:
                read += os.read(pipe, 65_536)
        return text in read

    command = ("sh", "-c", f'exec "$@" 2> {log}', "sh", *WAKEWORD)
    with piped_daemon(command=command) as (daemon, say):
        hears(daemon, say)
        until(lambda: logged(b"heard jarvis"), "a line")
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(pipe, b"\n")
        for _ in range(3):
            hears(daemon, say)
        assert daemon.status()["sequence"] == 5
        assert not logged(b"missing")
        hears(daemon, say)
        until(lambda: logged(b"left out 3 lines here"), "the next lines")
        assert read.count(b"heard jarvis") == 2
    os.close(pipe)


@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_a_full_or_read_only_disk_under_the_state_only_loses_state(fault):
    with small_disk() as disk:
        (state := disk / "state").mkdir(mode=0o700)
        with piped_daemon(settings={"STATE_DIRECTORY": str(state)}) as (daemon, say):
            hears(daemon, say)
            if fault == "full":
                fill(disk)
            else:
                remount(disk, "ro")
            assert client.pause(1, socket=daemon.socket).until
            until(lambda: "the pause would end with the daemon: cannot write" in daemon.log)
            assert client.resume(socket=daemon.socket).state == "listening"
            hears(daemon, say)
            assert daemon.stop() == 0
            assert "the next run cannot continue with these events" in daemon.log
            assert files(state) == []
            daemon.start()
            until(lambda: daemon.notified("READY"), "another start")
            assert daemon.status()["sequence"] == 1


def test_without_free_descriptors_listening_continues_and_peers_wait(room, word):
    with Daemon(settings=room.env()) as daemon, contextlib.ExitStack() as stack:
        daemon.notified("READY")
        listener = daemon.listen("--count", 2)
        peer = stack.enter_context(Peer(daemon.socket))
        asked(peer)
        pid = daemon.process.pid
        least = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (least, most))
        stack.enter_context(connect(daemon.socket))
        until(lambda: "cannot accept a connection: Too many open files" in daemon.log, "a warning")
        room.play(word)
        until(lambda: asked(peer)["last_detection"], "a detection")
        # A sound server that is started again can only be reached with a free descriptor.
        room.kill()
        until(lambda: asked(peer)["state"] == "deaf", "the end of sound")
        room.start()
        room.hum()
        time.sleep(1)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, most))
        until(lambda: daemon.status()["state"] == "listening", "sound")
        room.play(word)
        assert [event["name"] for event in events(listener)] == ["jarvis", "jarvis"]
        assert daemon.log.count("cannot accept a connection") == 1


@pytest.mark.parametrize(
    "minutes", [0.02, pytest.param(3, marks=pytest.mark.long)], ids=["short", "long"]
)
def test_a_lost_network_is_noticed_and_no_event_is_missed(tmp_path, minutes):
    """In the long run both ends give the connection up, and the subscriber makes another."""
    with Network() as network:
        (config := tmp_path / "config.yaml").write_text(
            f"tcp: {{host: {network.here}, port: {PORT}, token: secret}}"
        )
        with piped_daemon("--config", config) as (daemon, say):
            (secret := tmp_path / "token").write_text("secret\n")
            secret.chmod(0o600)
            command = ["listen", "--json", "--count", "3", "--token-file", secret]
            listener = subprocess.Popen(
                [*network.inside, *WAKEWORD, *command, "--socket", f"tcp://{network.here}:{PORT}"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            try:
                assert b"connected to" in listener.stderr.readline()
                hears(daemon, say)
                network.unplug()
                hears(daemon, say)
                time.sleep(60 * minutes)
                assert daemon.status()["state"] == "listening"
                if minutes > 1:
                    assert len(daemon.status()["subscribers"]) == 1, "it is given up"
                network.plug()
                hears(daemon, say)
                numbers = [event["sequence"] for event in events(listener)]
            finally:
                listener.kill()
                listener.wait()
    assert numbers == [2, 3, 4]
