"""Records `make run` and `wakeword listen` in two terminals, as terminal.svg beside this file.

`python docs/pictures/terminal.py [CLONE]` runs the real commands in a clone where `make run` has
run once. The picture shows what they print at the moments at which they print it.
"""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import textwrap
import time
from html import escape
from pathlib import Path

HERE = Path(__file__).resolve().parent
COLUMNS = 98
SECONDS = 20.0
COMMANDS = {"make run": 0.5, ".venv/bin/wakeword listen": 3.5}
"""What is typed, and when."""

CHARACTER, LINE, MARGIN = 7.4, 18, 14
_HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img"
  font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="12.2">
<title>make run, and wakeword listen in a second terminal</title>
"""


def record(folder: Path) -> list[list[tuple[float, str]]]:
    """Run the commands; return for each the lines it printed, with the second of each."""
    begin = time.monotonic()
    terminals: dict[int, tuple[subprocess.Popen[bytes], list[tuple[float, str]]]] = {}
    waiting = list(COMMANDS.items())
    while (now := time.monotonic() - begin) < SECONDS:
        if waiting and now >= waiting[0][1]:
            command, _ = waiting.pop(0)
            ours, theirs = pty.openpty()
            termios.tcsetwinsize(theirs, (24, 1000))  # lines are wrapped here, and not by programs
            process = subprocess.Popen(
                command.split(), cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs,
                start_new_session=True,
            )  # fmt: skip
            os.close(theirs)
            terminals[ours] = (process, [(now, f"$ {command}")])
        for ours in select.select(terminals, [], [], 0.02)[0]:
            text = os.read(ours, 65536).decode()
            terminals[ours][1].extend((now, line) for line in text.splitlines() if line)
    for process, _ in terminals.values():
        os.killpg(process.pid, signal.SIGINT)
        process.wait()
    return [lines for _, lines in terminals.values()]


def draw(panes: list[list[tuple[float, str]]]) -> str:
    """Return an SVG of one terminal above the other; each line is hidden until its moment."""
    wrapped = [
        [(moment, part) for moment, line in lines for part in textwrap.wrap(line, COLUMNS)]
        for lines in panes
    ]
    heights = [len(lines) * LINE + 2 * MARGIN for lines in wrapped]
    width = COLUMNS * CHARACTER + 2 * MARGIN
    parts = [_HEAD.format(width=width, height=sum(heights) + MARGIN * (len(panes) - 1))]
    top = 0.0
    for lines, height in zip(wrapped, heights, strict=True):
        parts.append(
            f'<rect y="{top:.0f}" width="{width:.0f}" height="{height}" rx="8" fill="#1d2129"/>\n'
        )
        for row, (moment, line) in enumerate(lines):
            colour = "#8fd18f" if line.startswith("$ ") else "#d8dee9"
            bottom = top + MARGIN + (row + 0.72) * LINE
            parts.append(
                f'<text x="{MARGIN}" y="{bottom:.1f}" fill="{colour}" xml:space="preserve">'
                f'{escape(line)}<set attributeName="visibility" to="hidden" begin="0s"'
                f' dur="{moment:.2f}s"/></text>\n'
            )
        top += height + MARGIN
    return "".join([*parts, "</svg>\n"])


if __name__ == "__main__":
    clone = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parents[1]
    (HERE / "terminal.svg").write_text(draw(record(clone)))
