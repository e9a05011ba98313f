"""The configured wake words, with their models loaded and tested."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wakeword_daemon.engine import Detector, Model, WordSettings, read_model
from wakeword_daemon.errors import ConfigError
from wakeword_daemon.names import is_path, plain_name
from wakeword_daemon.resources import find_model

if TYPE_CHECKING:
    from wakeword_daemon.config import WordSection


@dataclass(frozen=True, slots=True)
class Words:
    """Models and their settings, from which detectors are made."""

    models: list[Model]
    settings: dict[str, WordSettings]

    @property
    def names(self) -> list[str]:
        """Names of the words."""
        return [model.name for model in self.models]

    def with_threshold(self, name: str, threshold: float) -> Words:
        """Return the same words, of which one has another threshold."""
        changed = replace(self.settings[name], threshold=threshold, false_accepts_per_hour=None)
        return Words(self.models, self.settings | {name: changed})

    def detector(self) -> Detector:
        """Return a new detector."""
        return Detector(self.models, self.settings)


def load_words(sections: dict[str, WordSection]) -> Words:
    """Load the model of every word and run the self-test that is stored with it.

    Args:
        sections: settings by the word's name, or by the path to a model file, which has the name.

    Raises:
        ModelError: a model is missing or damaged, or fails its self-test.
        ConfigError: a model was trained on another word, two models are of the same word, or one
            was not measured at the sensitivity in the settings.

    """
    models: dict[str, Model] = {}
    for name, section in sections.items():
        model = _load(name, section)
        if model.name in models:
            raise ConfigError(f"the word {model.name!r} is set twice; remove one of the two")
        models[model.name] = model
    settings = {
        name: word_settings(section)
        for name, section in zip(models, sections.values(), strict=True)
    }
    for name, model in models.items():
        model.threshold_for(settings[name])  # refuse a sensitivity that was not measured now
    return Words(list(models.values()), settings)


def word_settings(section: WordSection) -> WordSettings:
    """Return a word's settings for the engine."""
    return WordSettings(
        section.threshold, section.smoothing, section.refractory, section.false_accepts_per_hour
    )


def _load(name: str, section: WordSection) -> Model:
    path = find_model(section.model or name)
    model = read_model(path)
    if not is_path(name) and plain_name(model.name) != plain_name(name):
        raise ConfigError(
            f"words.{name}: the model {path} hears {model.name!r}; call the word that, or choose"
            " another model"
        )
    model.self_test()
    return model
