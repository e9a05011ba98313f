"""Draws record.svg and review.svg beside this file, from what real terminals show.

Speech by flite is played into a private sound server's microphone, so it needs what the tests need.
"""

from __future__ import annotations

import sys
import tempfile
import time
from html import escape
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests"))

from support.daemon import WAKEWORD, recording  # noqa: E402
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


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        review(Path(name))
        record(Path(name))
