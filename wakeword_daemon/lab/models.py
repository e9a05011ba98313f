"""Writes networks of the laboratory as model files, and reads them again."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from wakeword_daemon.engine.modelfile import (
    NO_SELF_TEST,
    Model,
    ModelCard,
    SelfTest,
    read_model,
    save_model,
)
from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.engine.weights import Weights
from wakeword_daemon.errors import TrainingError
from wakeword_daemon.lab.clips import over_a_clip
from wakeword_daemon.lab.quantization import Stored
from wakeword_daemon.training.fit.export import torch_from_model
from wakeword_daemon.training.fit.network import TorchCRNN


def write_model(
    path: Path,
    stored: Stored,
    card: ModelCard,
    spoken: npt.NDArray[np.float32],
) -> Model:
    """Write a model file, and return the model as read from it.

    Args:
        path: the file.
        stored: the weights, in int8 or as floats.
        card: the model's description.
        spoken: log-mel frames of the word, [frames, mels]; their middle becomes the self-test.

    """
    a = card.architecture
    length = a.kernel_frames + a.stride_frames
    start = (len(spoken) - length) // 2
    mel = spoken[start : start + length]
    save_model(path, Model(card, cast("Weights", stored), NO_SELF_TEST))
    network = read_model(path).network()  # with the stored numbers
    save_model(path, Model(card, cast("Weights", stored), SelfTest.record(network, mel)))
    model = read_model(path)
    model.self_test()
    return model


def describe(word: str, network: TorchCRNN, threshold: float) -> ModelCard:
    """Return the card of an experiment, with just what the engine needs, as it does not ship."""
    return ModelCard(
        name=word,
        phrase=word.replace("_", " "),
        language="en",
        features=network.features,
        architecture=network.architecture,
        threshold=threshold,
    )


def clip_network(model: Model) -> TorchCRNN:
    """Return a model's network in torch, with attention over a whole clip."""
    return torch_from_model(model, over_a_clip(model.card.architecture))


def read_teacher(path: Path, word: str, features: FeatureSettings) -> Model:
    """Read the model of a teacher.

    Raises:
        TrainingError: it is of another word, or has another front end.
        ModelError: it is not a model file.

    """
    model = read_model(path)
    if model.name != word:
        raise TrainingError(f"the teacher {path} is a model of {model.name!r}, not of {word!r}")
    if model.card.features != features:
        raise TrainingError(
            f"the teacher {path} has another front end: {model.card.features}, not {features}"
        )
    return model
