"""Other people's programs that use the wake service, in environments that `make clients` makes."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def environment_of(client):
    """Return the interpreter of a client's environment; None where there is none."""
    folder = Path(os.environ.get("WAKEWORD_CLIENTS", ROOT / ".venv/clients"))
    python = folder / client / "bin/python"
    return python if python.exists() else None


def python_of(client):
    """Return the interpreter of a client's environment; skip the test where there is none."""
    python = environment_of(client)
    if python is None:
        pytest.skip(f"no environment of {client}: run `make clients`")
    return python
