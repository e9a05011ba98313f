"""Wake words for Open Voice OS, whose listener loads this by the entry point `opm.wake_word`."""

from __future__ import annotations

from typing import Any

import numpy as np
from ovos_plugin_manager.templates.hotwords import HotWordEngine

from wakeword_daemon import Detector, WordSettings, load_model


class WakewordPlugin(HotWordEngine):  # type: ignore[misc]  # it has no types
    """One wake word in the listener's own process.

    The word is `model` in the config (a shipped word's name, or a path to a model file), or else
    what the hot word is called; `threshold` is above 0 and up to 1, `refractory` in seconds.

    Raises:
        ModelError: there is no such word.
        ConfigError: a setting is out of range.

    """

    def __init__(self, key_phrase: str, config: dict[str, Any] | None = None) -> None:
        super().__init__(key_phrase, config)
        model = load_model(self.config.get("model") or self.key_phrase)
        settings = WordSettings(
            threshold=self.config.get("threshold"),
            refractory=self.config.get("refractory", 1.0),
        )
        self._detector = Detector([model], {model.name: settings})
        self._found = False

    def update(self, chunk: bytes) -> None:
        """Hear the next samples: 16 bits, 16 kHz, mono."""
        if self._detector.push(np.frombuffer(chunk, "<i2")):
            self._found = True

    def found_wake_word(self, *_: object) -> bool:
        """Return whether the word was heard since this was last asked."""
        found, self._found = self._found, False
        return found

    def reset(self) -> None:
        """Forget what was heard."""
        self._detector.reset()
        self._found = False
