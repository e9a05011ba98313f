"""A wake-word listener to leave switched on.

What is imported from here is the public interface; everything is loaded when it is first used,
so that a program that only subscribes never loads the engine.

Hear a word in one's own audio::

    from wakeword_daemon import Detector, load_model

    detector = Detector([load_model("jarvis")])
    for chunk in chunks:                      # int16 samples, 16 kHz, mono, any number at a time
        for detection in detector.push(chunk):
            print(detection.word, detection.score)

Be told by a running daemon::

    from wakeword_daemon import subscribe

    for event in subscribe():
        print(event.name, event.score)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wakeword_daemon.engine import Detector, Model, WordSettings
    from wakeword_daemon.events.aioclient import subscribe_async
    from wakeword_daemon.events.client import subscribe

__all__ = [
    "Detector",
    "WordSettings",
    "load_model",
    "subscribe",
    "subscribe_async",
]

__version__ = "0.1.0"

_HOMES = {
    "Detector": "wakeword_daemon.engine",
    "WordSettings": "wakeword_daemon.engine",
    "subscribe": "wakeword_daemon.events.client",
    "subscribe_async": "wakeword_daemon.events.aioclient",
}


def load_model(word: str) -> Model:
    """Load a wake word's model: a shipped word by its name, or any by the path to its file.

    Raises:
        wakeword_daemon.errors.ModelError: there is no such model, or its file is damaged.

    """
    from wakeword_daemon import engine  # noqa: PLC0415 - see above
    from wakeword_daemon.resources import find_model  # noqa: PLC0415

    return engine.load_model(find_model(word))


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever is exported
    """Load a public name when it is first used (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
