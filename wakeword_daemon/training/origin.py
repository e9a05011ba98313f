"""Which code and which data make a model."""

from __future__ import annotations

import subprocess

from wakeword_daemon import __version__, resources
from wakeword_daemon.engine.modelfile import Origin
from wakeword_daemon.training.data.corpus import Corpus


def origin(corpus: Corpus) -> Origin:
    """Return what a model trained now on a corpus is made by."""
    return Origin(code=_code(), data=corpus.fingerprint())


def _code() -> str:
    """Return the commit of the checkout that runs; without one the version."""
    root = resources.root()
    if _git("rev-parse", "--show-toplevel") != str(root.resolve()):
        return f"version {__version__}"
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", "wakeword_daemon")
    return f"{_git('rev-parse', 'HEAD')}{'+' if changed else ''}"


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(resources.root()), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:  # git is not installed
        return ""
