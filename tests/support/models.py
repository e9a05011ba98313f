"""Small models for tests: random weights, real files."""

import numpy as np

from wakeword_daemon.engine.crnn import CRNN, weight_shapes
from wakeword_daemon.engine.modelfile import Model, ModelCard, SelfTest
from wakeword_daemon.engine.settings import Architecture, FeatureSettings
from wakeword_daemon.engine.sounds import SOUNDS, SoundNetwork

TINY = Architecture(channels=2, hidden=6, layers=1, attention=4, steps=8)


def random_network(architecture, rng):
    """Return an untrained network."""
    features = FeatureSettings()
    weights = {
        key: rng.normal(0, 0.3, shape).astype(np.float32)
        for key, shape in weight_shapes(architecture, features).items()
    }
    return CRNN(architecture, features, weights)


def random_model(name="test", *, architecture=TINY, seed=0, threshold=0.5, points=(), ways=()):
    """Return an untrained model of a word; its checksum is set when it is saved."""
    rng = np.random.default_rng(seed)
    network = random_network(architecture, rng)
    features, weights = network.features, network.weights
    card = ModelCard(
        name=name, phrase=name, language="en", features=features,
        architecture=architecture, threshold=threshold, operating_points=list(points), ways=ways,
    )  # fmt: skip
    frames = rng.normal(-5, 4, (60, features.mels)).astype(np.float32)
    return Model(card, weights, SelfTest.record(network, frames))


def leaning_model(name="test", *, odds, **more):
    """Return an untrained model whose scores lie around some log odds."""
    model = random_model(name, **more)
    bias = np.array([-odds / 2, odds / 2], np.float32)
    return Model(model.card, model.weights | {"classifier.bias": bias}, model.self_test_vector)


def random_sounds(seed=0):
    """Return an untrained network of speech sounds."""
    rng = np.random.default_rng(seed)
    shape = Architecture(
        channels=4, kernel_mels=8, kernel_frames=9, stride_mels=8, stride_frames=3, hidden=12,
        layers=2, attention=1, steps=1, outputs=1 + len(SOUNDS),
    )  # fmt: skip
    return SoundNetwork(random_network(shape, rng), random_network(shape, rng))


def log_odds(scores):
    """Return the log odds of scores."""
    return np.log(scores / (1 - scores))
