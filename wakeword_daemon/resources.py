"""Where models, units and the default config are: in the checkout or in the installed wheel."""

from __future__ import annotations

import os
from pathlib import Path

from wakeword_daemon.errors import ModelError
from wakeword_daemon.names import MODEL_SUFFIX, is_path, plain_name

_PACKAGE = Path(__file__).resolve().parent


def root() -> Path:
    """Return the folder with `config.yaml`, `models/` and `systemd/`."""
    installed = _PACKAGE / "data"
    return installed if installed.is_dir() else _PACKAGE.parent


def default_config() -> Path:
    """Return the config file that ships with the package: every setting with its default."""
    return root() / "config.yaml"


def units() -> Path:
    """Return the folder of the systemd units."""
    return root() / "systemd"


def demo_recording() -> Path:
    """Return the recording for a machine without a microphone."""
    return root() / "models" / "demo.flac"


def sounds_file() -> Path:
    """Return the network of English speech sounds."""
    return root() / "models" / "sounds" / f"english{MODEL_SUFFIX}"


def shipped_models() -> dict[str, Path]:
    """Return the wake words that ship with the package and their model files, by name."""
    return {path.stem: path for path in sorted((root() / "models").glob(f"*{MODEL_SUFFIX}"))}


def find_model(reference: str) -> Path:
    """Return the model file of a shipped word, or the one at a path.

    Raises:
        ModelError: no such word ships with the package; the message names those that do.

    """
    if is_path(reference):
        return Path(os.path.expanduser(reference))  # noqa: PTH111 - keeps an unknown ~user
    shipped = shipped_models()
    name = plain_name(reference)
    if name not in shipped:
        import difflib  # noqa: PLC0415 -- needed only after a mistake

        close = difflib.get_close_matches(name, shipped, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ModelError(
            f"no word named {reference!r} ships with this version{hint}"
            f" (shipped: {', '.join(shipped) or 'none'}; for a word of your own, give the path to"
            f" its {MODEL_SUFFIX} file)"
        )
    return shipped[name]
