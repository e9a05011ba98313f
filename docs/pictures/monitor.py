"""Records `wakeword monitor` in a terminal of 84 by 22, as monitor.svg beside this file.

`python docs/pictures/monitor.py` runs the real daemon on the demo recording, and the real monitor.
"""

from __future__ import annotations

import sys
import tempfile
import time
from html import escape
from itertools import groupby
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests"))

from support.daemon import WAKEWORD, Daemon  # noqa: E402
from support.terminal import Terminal  # noqa: E402

COLUMNS, ROWS = 84, 22
CHARACTER, LINE, MARGIN = 7.4, 18, 14
COLOURS = {
    "green": "#8fd18f", "blue": "#7aa2f7", "red": "#f7768e", "brown": "#e0c068",
    "default": "#d8dee9",
}  # fmt: skip


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
            if not text.strip():
                continue
            x = MARGIN + cells_of_run[0][0] * CHARACTER
            weight = ' font-weight="bold"' if bold else ""
            parts.append(
                f'<text x="{x:.1f}" y="{MARGIN + (row + 0.72) * LINE:.1f}"{weight}'
                f' textLength="{len(text) * CHARACTER:.1f}" xml:space="preserve"'
                f' fill="{COLOURS.get(colour, COLOURS["default"])}">{escape(text)}</text>\n'
            )
    return "".join([*parts, "</svg>\n"])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text("words: {jarvis: {}, alexa: {}}")
        with Daemon("--config", config, "--demo") as daemon:
            daemon.told("READY")
            command = (*WAKEWORD, "monitor", "--socket", daemon.socket)
            with Terminal(*command, columns=COLUMNS, rows=ROWS) as terminal:
                terminal.sees("dB above the noise")
                terminal.type("++")
                time.sleep(1.5)  # some more of the score
                terminal.sees("not saved")
                (HERE / "monitor.svg").write_text(draw(terminal))
