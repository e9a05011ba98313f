"""Tables that a command writes into a page of the documentation."""

import argparse
import os
from pathlib import Path


def command(description: str) -> argparse.ArgumentParser:
    """Return the parser of a command that replaces tables if it is called with `--write`."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="replace the tables")
    return parser


def table(header, rows):
    """Return the lines of a table in Markdown; the first column is text, the others are numbers."""
    rows = [[str(cell) for cell in row] for row in rows]
    rule = ["---", *["---:"] * (len(header) - 1)]
    return ["| " + " | ".join(cells) + " |" for cells in (header, rule, *rows)]


def load() -> str:
    """Return a sentence about how busy the machine was in the last minutes."""
    return (
        f"The machine had {os.cpu_count()} virtual cores, whose load was {os.getloadavg()[2]:.1f}"
        " in the last quarter of an hour."
    )


def write_row(page: Path, label: str, cells: list[str]) -> None:
    """Replace the cells after the label in the only row of a page's tables that begins with it."""
    lines = page.read_text().splitlines(keepends=True)
    (at,) = (number for number, line in enumerate(lines) if line.startswith(f"| {label} |"))
    lines[at] = f"| {' | '.join([label, *cells])} |\n"
    page.write_text("".join(lines))


def write(page: Path, name: str, lines: list[str]) -> None:
    """Replace what stands in the page between `<!-- NAME -->` and `<!-- end of NAME -->`."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    text = page.read_text()
    head, found, rest = text.partition(begin)
    _, also, tail = rest.partition(end)
    if not (found and also):
        raise ValueError(f"{page} has no place for {name}")
    page.write_text("\n".join([head + begin, *lines, end + tail]))
