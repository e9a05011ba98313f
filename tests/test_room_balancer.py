"""Several processes of the wake service behind HAProxy, with the configuration the docs show."""

import contextlib
import csv
import re
import shutil
import signal
import socket
import subprocess
import textwrap
from pathlib import Path

import pytest
from support.daemon import PATIENCE, WAKEWORD, until
from support.roomserver import RoomPeer, free_port, speech

pytestmark = [pytest.mark.slow]

PROCESSES = 4
PAGE = Path(__file__).resolve().parents[1] / "docs/home-assistant.md"


def configuration(port, ports, control):
    """Return the docs' configuration with our own ports, and one server for each."""
    shown = re.search(r"\n    listen wake\n(?:     .*\n)+", PAGE.read_text())[0]
    lines = textwrap.dedent(shown).strip().splitlines()
    kept = [line for line in lines if not line.strip().startswith(("server ", "bind "))]
    kept += [f"    bind 127.0.0.1:{port}", "    default-server inter 200 fall 1 rise 1"]
    # A process that is slow on a busy machine is not down; one that has ended refuses at once.
    kept += [f"    timeout check {round(PATIENCE)}s"]
    kept += [f"    server s{number} 127.0.0.1:{number} check" for number in ports]
    return "\n".join(["global", f"    stats socket {control}", *kept]) + "\n"


def answers(port):
    with contextlib.suppress(OSError), RoomPeer(("127.0.0.1", port)) as peer:
        peer.send("ping")
        return peer.read() is not None
    return False


def port_of(process):
    """Return the port that a process chose for itself; it is in the log."""
    return int(
        re.search(r"serving jarvis on tcp://127\.0\.0\.1:(\d+)", process.stderr.readline())[1]
    )


def rooms_of_each(control):
    """Return how many rooms each process has, as HAProxy counts them; without its own checks."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(PATIENCE)
        asking.connect(str(control))
        asking.sendall(b"show stat\n")
        with asking.makefile() as answer:
            rows = csv.DictReader(answer)
            return [int(row["scur"]) for row in rows if re.match(r"s\d", row["svname"])]


def test_four_processes_behind_haproxy_and_one_that_ends(tmp_path):
    if not shutil.which("haproxy"):
        pytest.skip("haproxy is not installed")
    config = tmp_path / "haproxy.cfg"
    control = tmp_path / "haproxy.sock"
    started = [
        subprocess.Popen(
            [*WAKEWORD, "serve", "--uri", "tcp://127.0.0.1:0", "--drain", "30"],
            stderr=subprocess.PIPE, text=True,
        )
        for _ in range(PROCESSES)
    ]  # fmt: skip
    try:
        ports = [port_of(process) for process in started]
        front = free_port()
        for port in ports:
            until(lambda: answers(port), "a process")  # noqa: B023
        config.write_text(configuration(front, ports, control))
        started.append(subprocess.Popen(["haproxy", "-db", "-f", str(config)]))
        until(lambda: answers(front), "haproxy")
        until(lambda: rooms_of_each(control) == [0] * PROCESSES, "the end of the first look")
        pcm = speech()
        rooms = [RoomPeer(("127.0.0.1", front)) for _ in range(8)]
        for room in rooms:
            room.start()
            room.say(pcm[:8000])
            room.ask("ping", answer="pong")
        assert rooms_of_each(control) == [2] * PROCESSES
        started[0].send_signal(signal.SIGTERM)
        until(lambda: not answers(ports[0]), "the end of listening")
        for _ in range(8):  # new rooms go to the others
            until(lambda: answers(front), "another process")
        for room in rooms:  # and those of the one that ends are served to their end
            room.say(pcm[8000:])
            assert room.expect("detection")["name"] == "jarvis"
            room.send("audio-stop")
        assert started[0].wait(PATIENCE) == 0
        for room in rooms:
            room.close()
    finally:
        for process in started:
            process.kill()
            process.communicate(timeout=PATIENCE)
