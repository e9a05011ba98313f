"""What `wakeword monitor` shows: a picture of the daemon in the cells of a terminal."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from wakeword_daemon.cli._watched import HOPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from wakeword_daemon.cli._watched import WatchedDaemon
    from wakeword_daemon.events.protocol import Detection

SMALLEST = (40, 12)
"""Columns and rows that the view needs."""

_QUIETEST = -80.0
"""dBFS at the left end of the level meter."""
_LOUD = -12.0
"""dBFS from which the meter warns."""

_STYLES = {"listening": "bold green", "paused": "bold yellow", "away": "bold red"}
_KEYS = "↑↓ word  -+ threshold  s save  p pause  q quit"


@dataclass(frozen=True, slots=True)
class Characters:
    """What bars are drawn with."""

    bars: str
    """From empty to full."""
    line: str
    """A threshold."""
    keys: str


UNICODE = Characters(" ▁▂▃▄▅▆▇█", "─", _KEYS)
ASCII = Characters(" .:-=+*#@", "-", "up/down word  -/+ threshold  s save  p pause  q quit")


def render(
    watch: WatchedDaemon,
    size: tuple[int, int],
    *,
    selected: str | None,
    unsaved: frozenset[str],
    message: str,
    characters: Characters = UNICODE,
) -> RenderableType:
    """Draw everything.

    Args:
        watch: the daemon.
        size: columns and rows of the terminal.
        selected: the word whose threshold the keys change.
        unsaved: words whose thresholds were changed and not saved.
        message: what came of the last key.
        characters: what the terminal can show.

    """
    columns, rows = size
    if columns < SMALLEST[0] or rows < SMALLEST[1]:
        return Text(f"{columns}x{rows} is too small: {SMALLEST[0]}x{SMALLEST[1]} at least")
    grid = Table.grid(expand=True)
    grid.add_column(no_wrap=True, overflow="ellipsis")
    height, shown = _share(rows - 7, len(watch.words))
    first = max(0, min(_index(watch, selected) - shown + 1, len(watch.words) - shown))
    for row in (
        _state(watch),
        _meter(watch, columns, characters),
        Text(""),
        *(
            line
            for word in watch.words[first : first + shown]
            for line in _word(
                watch,
                word,
                columns,
                height,
                characters,
                selected=word == selected,
                unsaved=word in unsaved,
            )
        ),
        Text("detections", style="bold"),
    ):
        grid.add_row(row)
    room = rows - 6 - shown * (height + 1)
    heard = list(watch.detections)[-room:] if room > 0 else []
    for detection in reversed(heard):
        grid.add_row(_detection_line(detection))
    for _ in range(room - len(heard)):
        grid.add_row(Text(""))
    grid.add_row(Text(message, style="yellow"))
    grid.add_row(Text(characters.keys, style="dim"))
    return grid


def _share(rows: int, words: int) -> tuple[int, int]:
    """Return how many rows each word's bars get, and how many words are shown."""
    if not words:
        return 1, 0
    height = min(5, max(1, rows // words - 1))
    return height, min(words, rows // (height + 1))


def _index(watch: WatchedDaemon, word: str | None) -> int:
    return watch.words.index(word) if word in watch.words else 0


def _state(watch: WatchedDaemon) -> Text:
    text = Text(watch.state, style=_STYLES.get(watch.state, "bold red"))
    if watch.reason:
        text.append(f": {watch.reason}", style="default")
    if watch.device:
        text.append(f" on {watch.device}", style="default")
    if watch.rate:
        text.append(f" at {watch.rate} Hz", style="default")
    return text


def _meter(watch: WatchedDaemon, columns: int, characters: Characters) -> Text:
    if watch.level is None or watch.noise is None:
        return Text("level  no sound", style="dim")
    figures = f" {watch.level:4.0f} dBFS, noise {watch.noise:.0f}"
    width = columns - len("level  ") - len(figures) - 1
    filled = _part(watch.level, width)
    noise = min(_part(watch.noise, width), width - 1)
    cells = [characters.bars[-1] if at < filled else characters.bars[0] for at in range(width)]
    text = Text("level  ")
    text.append("".join(cells), style="red" if watch.level > _LOUD else "green")
    text.stylize("reverse", 7 + noise, 8 + noise)
    return text + Text(figures)


def _part(level: float, width: int) -> int:
    return round(width * min(max(1 - level / _QUIETEST, 0), 1))


def _word(
    watch: WatchedDaemon,
    word: str,
    columns: int,
    height: int,
    characters: Characters,
    *,
    selected: bool,
    unsaved: bool,
) -> list[Text]:
    threshold, scores = watch.thresholds[word], watch.scores[word]
    mark = " (not saved)" if unsaved else ""
    head = Text(f"{'>' if selected else ' '} {word}", style="bold" if selected else "")
    score = f"{scores[-1]:.3f}" if scores else "-"
    head.append(f"  {score}, threshold {threshold:.3g}{mark}", style="default")
    peaks = _peaks(scores, columns - 2)
    level = min(int(threshold * height), height - 1)
    return [
        head,
        *(
            _bar_row(peaks, row, height, threshold, characters, ruled=row == level)
            for row in reversed(range(height))
        ),
    ]


def _peaks(scores: Sequence[float], width: int) -> list[float]:
    """Return the highest score in each of `width` columns over the last 10 s."""
    known = [0.0] * (HOPS - len(scores)) + list(scores)
    edges = [at * HOPS // width for at in range(width + 1)]
    return [max(known[start : max(end, start + 1)]) for start, end in pairwise(edges)]


def _bar_row(
    peaks: Sequence[float],
    row: int,
    height: int,
    threshold: float,
    characters: Characters,
    *,
    ruled: bool,
) -> Text:
    """Draw a row of bars, counted from the bottom, and in one of them the threshold."""
    text = Text("  ")
    full = len(characters.bars) - 1
    for peak in peaks:
        eighths = round(min(max(peak * height - row, 0), 1) * full)
        if eighths:
            text.append(characters.bars[eighths], style="green" if peak >= threshold else "blue")
        else:
            text.append(characters.line if ruled else " ", style="yellow")
    return text


def _detection_line(detection: Detection) -> Text:
    clock = time.strftime("%H:%M:%S", time.localtime(detection.wall_time))
    ratio = "" if detection.snr is None else f"  {detection.snr:.0f} dB above the noise"
    return Text(f"{clock}  {detection.name}  {detection.score:.3f}{ratio}")
