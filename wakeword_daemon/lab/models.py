"""Networks of the laboratory as model files, and back."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import torch

from wakeword_daemon.engine import crnn
from wakeword_daemon.engine.modelfile import (
    Arrays,
    Model,
    ModelCard,
    SelfTest,
    read_model,
    save_model,
)
from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.errors import TrainingError
from wakeword_daemon.lab.clips import over_a_clip
from wakeword_daemon.lab.quantization import Stored
from wakeword_daemon.training.fit.network import TorchCRNN


def write_model(
    path: Path,
    stored: Stored,
    card: ModelCard,
    spoken: npt.NDArray[np.float32],
) -> Model:
    """Write weights as they are stored, and return the model as it is read again.

    Args:
        path: the file.
        stored: the weights, in int8 or not.
        card: what describes them.
        spoken: log-mel frames of the word [frames, mels]; its middle becomes the self-test.

    """
    a = card.architecture
    length = a.kernel_frames + a.stride_frames
    start = (len(spoken) - length) // 2
    mel = spoken[start : start + length]
    nothing = SelfTest(np.zeros((0, 0), np.uint8), np.zeros(0, np.float32))
    save_model(path, Model(card, cast("Arrays", stored), nothing))
    network = engine_from_model(read_model(path))  # with the numbers that are stored
    save_model(path, Model(card, cast("Arrays", stored), SelfTest.record(network, mel)))
    model = read_model(path)
    model.self_test()
    return model


def describe(word: str, network: TorchCRNN, threshold: float) -> ModelCard:
    """Return the card of an experiment: what the engine must know, as it is not one to ship."""
    return ModelCard(
        name=word,
        phrase=word.replace("_", " "),
        language="en",
        features=network.features,
        architecture=network.architecture,
        threshold=threshold,
    )


def engine_from_model(model: Model) -> crnn.CRNN:
    """Return the engine that runs a model."""
    return crnn.CRNN(model.card.architecture, model.card.features, [model.weights])


def torch_from_model(model: Model) -> TorchCRNN:
    """Return a model's weights in torch, with the shift and scale of its input unfolded again.

    Its attention covers a clip, whatever the model's does.
    """
    network = TorchCRNN(over_a_clip(model.card.architecture), model.card.features)
    weights = {name: torch.from_numpy(array.copy()) for name, array in model.weights.items()}
    kernel = weights["conv.weight"] * network.std
    weights["conv.bias"] += kernel.sum((1, 2, 3)) * network.mean / network.std
    weights["conv.weight"] = kernel
    network.load_state_dict(network.state_dict() | weights)
    network.eval()
    return network


def read_teacher(path: Path, word: str, features: FeatureSettings) -> Model:
    """Read a model to learn from.

    Raises:
        TrainingError: it is of another word, or hears other features.
        ModelError: it is no model file.

    """
    model = read_model(path)
    if model.name != word:
        raise TrainingError(f"the teacher {path} knows {model.name!r}, not {word!r}")
    if model.card.features != features:
        raise TrainingError(
            f"the teacher {path} hears other features: {model.card.features} instead of {features}"
        )
    return model
