"""Records `wakeword monitor` in a terminal of 84 by 22, as monitor.svg beside this file.

`python docs/pictures/monitor.py` runs the real daemon on the speech of page.py, and the monitor.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from html import escape
from itertools import groupby
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests"))

from page import speak  # noqa: E402
from support.daemon import WAKEWORD, Daemon  # noqa: E402
from support.terminal import Terminal  # noqa: E402

COLUMNS, ROWS = 84, 22
CHARACTER, LINE, MARGIN = 7.4, 18, 14
COLOURS = {
    "green": "#8fd18f", "blue": "#7aa2f7", "red": "#f7768e", "brown": "#e0c068",
    "default": "#d8dee9",
}  # fmt: skip


BARS = " ▁▂▃▄▅▆▇█"
RULE = "─"


def shape(sign: str, x: float, row: int, colour: str) -> str:
    """Return a bar or a line that fills its cell, which a font's glyph does not in a browser."""
    top = MARGIN + row * LINE
    if sign == RULE:
        y, height = top + LINE / 2 - 0.5, 1.0
    else:
        height = LINE * BARS.index(sign) / 8
        y = top + LINE - height
    return (
        f'<rect x="{x:.1f}" y="{y:.2f}" width="{CHARACTER + 0.1:.1f}" height="{height:.2f}"'
        f' fill="{colour}" shape-rendering="crispEdges"/>\n'
    )


def draw(terminal: Terminal) -> str:
    """Return what is on the screen as an SVG."""
    width, height = COLUMNS * CHARACTER + 2 * MARGIN, ROWS * LINE + 2 * MARGIN
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" role="img"'
            " font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\""
            ' font-size="12.2">\n<title>wakeword monitor</title>\n'
            f'<rect width="{width:.0f}" height="{height}" rx="8" fill="#1d2129"/>\n'
        )
    ]
    for row in range(ROWS):
        cells = [(at, terminal.screen.buffer[row][at]) for at in range(COLUMNS)]
        for (colour, bold), run in groupby(cells, lambda cell: (cell[1].fg, cell[1].bold)):
            cells_of_run = list(run)
            text = "".join("┃" if cell.reverse else cell.data for _, cell in cells_of_run)
            fill = COLOURS.get(colour, COLOURS["default"])
            for (at, _), sign in zip(cells_of_run, text, strict=True):
                if sign in BARS[1:] + RULE:
                    parts.append(shape(sign, MARGIN + at * CHARACTER, row, fill))
            text = "".join(" " if sign in BARS[1:] + RULE else sign for sign in text)
            if not text.strip():
                continue
            x = MARGIN + cells_of_run[0][0] * CHARACTER
            weight = ' font-weight="bold"' if bold else ""
            parts.append(
                f'<text x="{x:.1f}" y="{MARGIN + (row + 0.72) * LINE:.1f}"{weight}'
                f' textLength="{len(text) * CHARACTER:.1f}" xml:space="preserve"'
                f' fill="{fill}">{escape(text)}</text>\n'
            )
    return "".join([*parts, "</svg>\n"])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text("words: {jarvis: {}, alexa: {}}")
        speak(Path(folder) / "microphone.wav")
        os.chdir(folder)
        with Daemon("--config", config, "--input", "microphone.wav") as daemon:
            daemon.notified("READY")
            command = (*WAKEWORD, "monitor", "--socket", daemon.socket)
            with Terminal(*command, columns=COLUMNS, rows=ROWS) as terminal:
                terminal.until(lambda text: text.count("dB above the noise") == 2)  # noqa: PLR2004
                terminal.type("++")
                time.sleep(1.5)  # some more of the score
                terminal.sees("not saved")
                (HERE / "monitor.svg").write_text(draw(terminal))
