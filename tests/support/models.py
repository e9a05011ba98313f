"""Small models for tests: random weights, real files."""

import numpy as np

from wakeword_daemon.engine.crnn import CRNN, weight_shapes
from wakeword_daemon.engine.modelfile import Model, ModelCard, SelfTest
from wakeword_daemon.engine.settings import Architecture, FeatureSettings

TINY = Architecture(channels=2, hidden=6, layers=1, attention=4, steps=8)


def random_model(name="test", *, architecture=TINY, seed=0, threshold=0.5, points=()):
    """Return an untrained model of a word; its checksum is set when it is saved."""
    rng = np.random.default_rng(seed)
    features = FeatureSettings()
    weights = {
        key: rng.normal(0, 0.3, shape).astype(np.float32)
        for key, shape in weight_shapes(architecture, features).items()
    }
    network = CRNN(architecture, features, weights)
    card = ModelCard(
        name=name, phrase=name, language="en", features=features,
        architecture=architecture, threshold=threshold, operating_points=list(points),
    )  # fmt: skip
    frames = rng.normal(-5, 4, (60, features.mels)).astype(np.float32)
    return Model(card, weights, SelfTest.record(network, frames))


def leaning_model(name="test", *, odds, **more):
    """Return an untrained model whose scores lie around some log odds."""
    model = random_model(name, **more)
    bias = np.array([-odds / 2, odds / 2], np.float32)
    return Model(model.card, model.weights | {"classifier.bias": bias}, model.self_test_vector)


def log_odds(scores):
    """Return the log odds of scores."""
    return np.log(scores / (1 - scores))
