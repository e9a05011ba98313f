"""Writes what is made from the code: `python docs/reference.py [FOLDER]`, or `make docs`.

- docs/settings.md, from the settings' own types and from the comments in config.yaml
- share/man/man1/wakeword.1 and the completions for bash and zsh, from the command line's parser
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import shtab
import yaml

from wakeword_daemon import settingsfile
from wakeword_daemon.cli import COMMANDS, build_parser
from wakeword_daemon.config import Config, WordSection

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]

_SETTINGS = """\
# Settings

The daemon reads the first of these files that is there: the one that `--config FILE` names,
`~/.config/wakeword/config.yaml`, `/etc/wakeword/config.yaml`. Without any it listens for “jarvis”
on the default microphone. What a file leaves out keeps its default. Start with a copy of
[config.yaml](../config.yaml), which holds every setting with its default.

`systemctl --user reload wakeword`, or SIGHUP, makes a running daemon read its file again, without
losing audio or subscribers; changes of `socket`, `tcp`, `rooms` and `audio.history` wait for the
next start.
If there is a mistake in the file, the daemon keeps its settings, `systemctl reload` fails, and the
log names the line and what is allowed; `wakeword run --check` says it beforehand. `--device`,
`--word`, `--threshold` and `--socket` of `wakeword run` override the file.
"""

_MAN_HEAD = r""".\" Made by docs/reference.py.
.TH WAKEWORD 1 "" "wakeword\-daemon" "User Commands"
.SH NAME
wakeword \- hear spoken wake words offline and report them to other programs
.SH SYNOPSIS
.B wakeword
.I COMMAND
[\fIOPTION\fR]...
.SH DESCRIPTION
.B wakeword run
listens to a microphone and reports each wake word to every program that is connected to its socket.
The other commands subscribe to it, show its state, search recordings, and train words.
.SH COMMANDS
"""

_MAN_TAIL = r""".SH FILES
.TP
.I ~/.config/wakeword/config.yaml
the user's settings
.TP
.I /etc/wakeword/config.yaml
the settings of the machine, read if the user has none
.TP
.I $XDG_RUNTIME_DIR/wakeword/events.sock
the socket that events are sent on; \fI/run/wakeword/events.sock\fR for a service of the machine
.SH EXIT STATUS
0 for success, 1 for a failure, 2 for a mistake on the command line or in the settings,
75 if only a new process can help,
130 after Ctrl\-C, 141 if the reader of the output has left.
"""


def settings() -> str:
    """Return docs/settings.md."""
    text = (ROOT / "config.yaml").read_text()
    comments = dict(_comments(text))
    defaults = yaml.safe_load(text)
    parts = [_SETTINGS]
    for section in msgspec.structs.fields(Config):
        name = section.name
        kind, shown = section.type, name
        if name == "words":
            kind, shown = WordSection, "words.NAME"
        about = comments[name]
        parts.append(
            f"## {shown}\n\n{about}\n\n| setting | takes | default | |\n|---|---|---|---|\n"
        )
        values = defaults[name]["jarvis"] if name == "words" else defaults[name]
        prefix = "words.jarvis" if name == "words" else name
        for field in msgspec.structs.fields(kind):
            value = values[field.name]
            default = "null" if value is None else value
            about = comments[f"{prefix}.{field.name}"]
            parts[-1] += (
                f"| `{field.name}` | {settingsfile.allowed(field.type)} | `{default}` | {about} |\n"
            )
    return "\n".join(parts)


def _comments(text: str) -> Iterator[tuple[str, str]]:
    """Yield each key's path in a YAML file, with the comment that stands before it."""
    path: list[tuple[int, str]] = []
    comment: list[str] = []
    for line in text.splitlines():
        if found := re.match(r"( *)# ?(.*)", line):
            comment.append(found[2])
        elif found := re.match(r"( *)(\w+):", line):
            indent = len(found[1])
            path = [*(parent for parent in path if parent[0] < indent), (indent, found[2])]
            yield ".".join(key for _, key in path), " ".join(comment)
            comment = []
        else:
            comment = []


def man_page() -> str:
    """Return share/man/man1/wakeword.1."""
    return _MAN_HEAD + "".join(_command(name) for name in COMMANDS) + _MAN_TAIL


def _command(name: str) -> str:
    parser = _subparser(build_parser([name]), name)
    options = [action for action in parser._actions if action.option_strings]  # noqa: SLF001
    positionals = [action for action in parser._actions if not action.option_strings]  # noqa: SLF001
    synopsis = " ".join(
        rf"\fI{_roff(_metavar(action))}\fR" + ("..." if action.nargs == "+" else "")
        for action in positionals
    )
    lines = [
        f'.SS "wakeword {name}"',
        rf"\fBwakeword {name}\fR [\fIOPTION\fR]... {synopsis}".strip(),
    ]
    lines += [".PP", _roff(parser.description or "")]
    for action in [*positionals, *options]:
        if action.dest == "help":
            continue
        title = ", ".join(rf"\fB{_roff(option)}\fR" for option in action.option_strings)
        if action.nargs != 0:
            title = f"{title} \\fI{_roff(_metavar(action))}\\fR".strip()
        lines += [".TP", title, _roff(action.help or "")]
    if parser.epilog:
        lines += [".PP", ".nf", *map(_roff, parser.epilog.strip().splitlines()), ".fi"]
    return "\n".join(lines) + "\n"


def _metavar(action: argparse.Action) -> str:
    if action.choices:
        return "|".join(map(str, action.choices))
    return str(action.metavar or action.dest.upper())


def _roff(text: str) -> str:
    """Return text that groff prints as it is."""
    for plain, escaped in (("\\", r"\e"), ("-", r"\-"), ("“", r"\(lq"), ("”", r"\(rq")):
        text = text.replace(plain, escaped)
    return rf"\&{text}" if text.startswith((".", "'")) else text


def _subparser(parser: argparse.ArgumentParser, name: str) -> argparse.ArgumentParser:
    (commands,) = (a for a in parser._actions if isinstance(a.choices, dict))  # noqa: SLF001
    found: argparse.ArgumentParser = commands.choices[name]
    return found


def completion(shell: str) -> str:
    """Return what completes the command line in bash or zsh."""
    parser = build_parser(COMMANDS)
    for name in COMMANDS:
        for action in _subparser(parser, name)._actions:  # noqa: SLF001
            if action.metavar in ("FILE", "DIR", "RECIPE", "WORD"):
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    return shtab.complete(parser, shell=shell)


def files() -> dict[str, str]:
    """Return the content of every file that is made here, by its path below the root."""
    return {
        "docs/settings.md": settings(),
        "share/man/man1/wakeword.1": man_page(),
        "share/bash-completion/completions/wakeword": completion("bash"),
        "share/zsh/site-functions/_wakeword": completion("zsh"),
    }


if __name__ == "__main__":
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT
    for path, content in files().items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
        print(root / path)  # noqa: T201
