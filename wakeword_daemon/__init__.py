"""A wake-word listener to leave switched on.

This module is the public interface. Everything is loaded when it is first used, so a program that
only subscribes does not load the engine.

To hear a word in audio of your own::

    from wakeword_daemon import Detector, load_model

    detector = Detector([load_model("jarvis")])
    for chunk in chunks:                      # int16 samples, 16 kHz, mono, any number at a time
        for detection in detector.push(chunk):
            print(detection.word, detection.score)

To receive the detections of a running daemon::

    from wakeword_daemon import subscribe

    for event in subscribe():
        print(event.name, event.score)

Watch what it measures, pause it, tune it::

    from wakeword_daemon import pause, resume, set_threshold, watch
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from wakeword_daemon.errors import (
    AudioError,
    ConfigError,
    EventsError,
    ModelError,
    TrainingError,
    WakewordError,
)

if TYPE_CHECKING:
    from pathlib import Path

    from wakeword_daemon.engine import Detection, Detector, Model, Step, WordSettings
    from wakeword_daemon.events.aioclient import subscribe_async, watch_async
    from wakeword_daemon.events.client import pause, resume, set_threshold, subscribe, watch

__all__ = [
    "AudioError",
    "ConfigError",
    "Detection",
    "Detector",
    "EventsError",
    "Model",
    "ModelError",
    "Step",
    "TrainingError",
    "WakewordError",
    "WordSettings",
    "load_model",
    "pause",
    "resume",
    "set_threshold",
    "subscribe",
    "subscribe_async",
    "watch",
    "watch_async",
]

__version__ = "0.1.0"

_HOMES = {
    "Detection": "wakeword_daemon.engine",
    "Detector": "wakeword_daemon.engine",
    "Model": "wakeword_daemon.engine",
    "Step": "wakeword_daemon.engine",
    "WordSettings": "wakeword_daemon.engine",
    "pause": "wakeword_daemon.events.client",
    "resume": "wakeword_daemon.events.client",
    "set_threshold": "wakeword_daemon.events.client",
    "subscribe": "wakeword_daemon.events.client",
    "subscribe_async": "wakeword_daemon.events.aioclient",
    "watch": "wakeword_daemon.events.client",
    "watch_async": "wakeword_daemon.events.aioclient",
}


def load_model(word: str | Path) -> Model:
    """Load the model of a wake word.

    Args:
        word: the name of a shipped word, such as "jarvis", or the path to a model file.

    Raises:
        ModelError: there is no such model, or its file is damaged.

    """
    from wakeword_daemon.engine import read_model  # noqa: PLC0415 - a subscriber does not need it
    from wakeword_daemon.resources import find_model  # noqa: PLC0415

    return read_model(find_model(str(word)))


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever is exported
    """Load a public name when it is first used (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
