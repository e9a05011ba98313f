"""Which code, data and command make a model."""

from __future__ import annotations

import subprocess
from pathlib import Path

from wakeword_daemon import __version__
from wakeword_daemon.engine.modelfile import Origin
from wakeword_daemon.training.data.corpus import Corpus

_ROOT = Path(__file__).resolve().parents[2]
"""The checkout, if this is one."""


def origin(corpus: Corpus, command: str) -> Origin:
    """Return what a model trained now, on a corpus and by a command, is made by."""
    return Origin(code=_code(), data=corpus.fingerprint(), command=command)


def _code() -> str:
    """Return the commit of the checkout that runs; without one the version."""
    if _git("rev-parse", "--show-toplevel") != str(_ROOT):
        return f"version {__version__}"
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", "wakeword_daemon")
    return f"{_git('rev-parse', 'HEAD')}{'+' if changed else ''}"


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(_ROOT), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:  # git is not installed
        return ""
