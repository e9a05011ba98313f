"""The wake words of the service, loaded once for all rooms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wakeword_daemon.engine import Detector
from wakeword_daemon.events.vocabulary import find_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wakeword_daemon.engine import Model, WordSettings

_CHOICES_KEPT = 16


class Detectors:
    """Makes a detector for each room; all detectors of the same words share their weights."""

    def __init__(self, models: Sequence[Model], settings: Mapping[str, WordSettings]) -> None:
        self.models = models
        self.settings = settings
        self._known = [model.name for model in models]
        self._all = frozenset(self._known)
        self._patterns: dict[frozenset[str], Detector] = {}

    def choose(self, names: Sequence[str] | None) -> frozenset[str]:
        """Return the words that the names mean; none at all mean every word.

        Raises:
            ProtocolError: no wake word has such a name.

        """
        return frozenset(find_words(names, self._known)) if names else self._all

    def detector(self, words: frozenset[str]) -> Detector:
        """Return a detector of these words that has heard nothing."""
        pattern = self._patterns.pop(words, None)
        if pattern is None:
            models = [model for model in self.models if model.name in words]
            pattern = Detector(models, {name: self.settings[name] for name in words})
        self._patterns[words] = pattern  # now the last that will be given up
        if len(self._patterns) > _CHOICES_KEPT:
            del self._patterns[next(iter(self._patterns))]
        return pattern.fresh()
