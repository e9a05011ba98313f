"""Draws pictures of commands beside this file, from what real terminals show.

Speech by flite is played into a private sound server's microphone, so it needs what the tests need.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
import urllib.request
from html import escape
from pathlib import Path
from textwrap import wrap

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests"))

from support.daemon import WAKEWORD, Daemon, recording, until  # noqa: E402
from support.soundserver import PulseServer  # noqa: E402
from support.terminal import Terminal  # noqa: E402

from wakeword_daemon.audio.files import read  # noqa: E402
from wakeword_daemon.clips.clip import Clip  # noqa: E402
from wakeword_daemon.clips.folder import ClipFolder  # noqa: E402

CHARACTER, LINE, MARGIN, COLUMNS = 7.4, 18, 14, 92
_HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img"
  font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="12.2">
<title>{title}</title>
<rect width="{width:.0f}" height="{height:.0f}" rx="8" fill="#1d2129"/>
"""


def draw(title: str, command: str, screen: str) -> str:
    """Return an SVG of a terminal in which a command ran."""
    # A line that was written over shows what came last.
    lines = [f"$ {command}", *(line.split("\r")[-1] for line in screen.rstrip().split("\n"))]
    parts = [
        _HEAD.format(
            width=COLUMNS * CHARACTER + 2 * MARGIN,
            height=len(lines) * LINE + 2 * MARGIN,
            title=title,
        )
    ]
    for row, line in enumerate(lines):
        colour = "#8fd18f" if line.startswith("$ ") else "#d8dee9"
        parts.append(
            f'<text x="{MARGIN}" y="{MARGIN + (row + 0.72) * LINE:.1f}" fill="{colour}"'
            f' xml:space="preserve">{escape(line)}</text>\n'
        )
    return "".join([*parts, "</svg>\n"])


def record(folder: Path) -> None:
    """Record a take, and try to record the same one again."""
    recording(folder / "word.wav", "jarvis-slt", 0.1)
    command = "record jarvis --data recordings --speaker anna"
    with PulseServer() as room:
        room.hum()
        arguments = ["--data", folder / "recordings", "--speaker", "anna"]
        with Terminal(*WAKEWORD, "record", "jarvis", *arguments, environ=room.env()) as terminal:
            for take in (1, 2):
                terminal.prints(f"take {take} of 10")
                terminal.prints("now say", times=terminal.printed.count("now say") + 1)
                room.play(folder / "word.wav")
                if take == 1:
                    terminal.prints("good: ")
                    terminal.type("\n")
            terminal.prints("the same recording")
            terminal.prints("r record again   p play   q quit", times=2)
            screen = terminal.printed.replace(str(folder) + "/", "")
    picture = draw("wakeword record", f"wakeword {command}", screen.lstrip())
    (HERE / "record.svg").write_text(picture)


def review(folder: Path) -> None:
    """Label a detection and a near miss."""
    clips = ClipFolder(folder / "clips")
    pcm = read(HERE.parents[1] / "tests/audio/jarvis-slt.flac")
    now = time.mktime((2026, 11, 27, 8, 0, 0, 0, 0, -1))
    for after, kind, score in ((12.0, "detection", 0.997), (4_921.0, "near-miss", 0.384)):
        clips.add(
            Clip(
                word="jarvis", kind=kind, score=score, threshold=0.5, model="",
                wall_time=now + after, at=2.0, seconds=2.8,
            ),
            pcm,
        )  # fmt: skip
    with Terminal(*WAKEWORD, "review", "--folder", clips.path) as terminal:
        terminal.prints("1 of 2")
        terminal.type("r")
        terminal.prints("2 of 2")
        terminal.type("m")
        terminal.end()
        lines = [line for line in terminal.printed.split("\n") if "apt install" not in line]
    (HERE / "review.svg").write_text(draw("wakeword review", "wakeword review", "\n".join(lines)))


def doctor(_: Path) -> None:
    """Examine a machine on which a daemon runs and nobody speaks."""
    with PulseServer() as room:
        room.hum()
        config = room.root / "wakeword/config.yaml"
        config.parent.mkdir()
        config.write_text("words: {jarvis: {}, alexa: {}}\n")
        socket = Path(room.env()["XDG_RUNTIME_DIR"]) / "wakeword/events.sock"
        with Daemon("--socket", socket, "--config", config, settings=room.env()) as daemon:
            daemon.notified("READY")
            with Terminal(*WAKEWORD, "doctor", columns=200, environ=room.env()) as terminal:
                terminal.end()
                screen = terminal.printed.replace(f"{room.root}", "~/.config")
    lines = [line.split("\r")[-1] for line in screen.split("\n")]
    wrapped = [part for line in lines for part in wrap(line, COLUMNS, subsequent_indent=" " * 23)]
    picture = draw("wakeword doctor", "wakeword doctor", "\n".join(wrapped))
    (HERE / "doctor.svg").write_text(picture)


def calibrate(folder: Path) -> None:
    """Propose a threshold from an hour in which nobody says the word."""
    pause = ("other-slt", 2.0, "other-slt", 7.0)
    recording(folder / "hour.wav", *(256 * pause))
    arguments = ("calibrate", "--word", "jarvis", "--from", folder / "hour.wav")
    with Terminal(*WAKEWORD, *arguments, columns=COLUMNS) as terminal:
        terminal.end()
        screen = terminal.printed
    command = "wakeword calibrate --word jarvis --from hour.wav"
    lines = [line.split("\r")[-1] for line in screen.split("\n")]
    (HERE / "calibrate.svg").write_text(draw("wakeword calibrate", command, "\n".join(lines)))


def act(folder: Path) -> None:
    """Run a program when a word is heard."""
    recording(folder / "microphone.wav", 2.0, "jarvis-slt", 3.0, "jarvis-rms", 2.0)
    (folder / "config.yaml").write_text(
        "on_detection:\n  command: [sh, -c, 'echo \"$WAKEWORD_NAME: the lamp goes on\"']\n"
    )
    options = ("--config", folder / "config.yaml", "--input", folder / "microphone.wav")
    with Terminal(*WAKEWORD, "run", "--socket", folder / "s", *options, columns=200) as terminal:
        terminal.prints("the lamp goes on", times=2)
        screen = terminal.printed
    lines = [line for line in screen.split("\n") if "lamp" in line or "heard" in line]
    shown = (
        f"$ cat ~/.config/wakeword/config.yaml\n{(folder / 'config.yaml').read_text()}"
        f"$ wakeword run\n" + "\n".join(lines)
    )
    first, rest = shown.split("\n", 1)
    picture = draw("a program that runs at each detection", first.removeprefix("$ "), rest)
    (HERE / "act.svg").write_text(picture)


def metrics(folder: Path) -> None:
    """Ask for metrics of a daemon that has heard a word."""
    recording(folder / "spoken.wav", 4.0, "jarvis-slt", 60.0)
    with Daemon("--input", folder / "spoken.wav") as daemon:
        daemon.notified("READY")
        command = (*WAKEWORD, "metrics", "--port", "0", "--socket", daemon.socket)
        with Terminal(*command) as terminal:
            terminal.prints("/metrics\n")
            url = terminal.printed.strip()

            def scrape() -> str:
                with urllib.request.urlopen(url) as answer:  # noqa: S310 - our own address
                    return str(answer.read().decode())

            until(lambda: 'detections_total{word="jarvis"} 1.0' in scrape(), "a detection")
            text = scrape()
    told = "wakeword_(up|state|detections_total|level|noise|gaps|cpu|resident|subscribers)"
    lines = [line for line in text.split("\n") if re.match(told, line)]
    shown = "curl --silent http://127.0.0.1:10402/metrics | grep …"
    (HERE / "metrics.svg").write_text(draw("wakeword metrics", shown, "\n".join(lines)))


PICTURES = (metrics, review, record, doctor, calibrate, act)

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        for picture in PICTURES:
            if picture.__name__ in (sys.argv[1:] or picture.__name__):
                picture(Path(name))
