"""The configured wake words, with their models loaded and tested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wakeword_daemon.engine import Detector, Model, WordSettings, load_model
from wakeword_daemon.errors import ConfigError
from wakeword_daemon.resources import find_model

if TYPE_CHECKING:
    from wakeword_daemon.config import WordSection


@dataclass(frozen=True, slots=True)
class Words:
    """Models and their settings, ready to make detectors of."""

    models: list[Model]
    settings: dict[str, WordSettings]

    @property
    def names(self) -> list[str]:
        """Names of the words."""
        return [model.name for model in self.models]

    def detector(self) -> Detector:
        """Return a detector that has heard nothing yet."""
        return Detector(self.models, self.settings)


def load_words(sections: dict[str, WordSection]) -> Words:
    """Load the model of every word and run the self-test that is stored with it.

    Raises ModelError for a model that is missing, damaged or does not give the probabilities it
    was shipped with, and ConfigError for one that was trained on another word or was not measured
    at the sensitivity that is asked for.
    """
    models = [_load(name, section) for name, section in sections.items()]
    settings = {
        model.name: WordSettings(
            threshold_in_force(model, section), section.smoothing, section.refractory
        )
        for model, section in zip(models, sections.values(), strict=True)
    }
    return Words(models, settings)


def threshold_in_force(model: Model, section: WordSection) -> float:
    """Return the threshold that a word's settings ask for, or else its model's own.

    Raises ConfigError if the model was not measured at the sensitivity that is asked for.
    """
    if section.threshold is not None:
        return section.threshold
    if section.false_accepts_per_hour is None:
        return model.threshold
    return model.card.point_within(section.false_accepts_per_hour).threshold


def _load(name: str, section: WordSection) -> Model:
    path = find_model(section.model or name)
    model = load_model(path)
    if model.name != name:
        raise ConfigError(
            f"words.{name}: the model {path} hears {model.name!r}; name the word so, or choose"
            " another model"
        )
    model.self_test()
    return model
