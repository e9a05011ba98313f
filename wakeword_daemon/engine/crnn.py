"""The weights of one wake word's attention CRNN.

Source: Shan et al. 2018 (arXiv:1803.10916), run one step at a time: convolve when the stride
allows, one GRU step from the saved hidden state, one new energy, softmax over it and the T - 1
cached ones, classify. `wakeword_daemon.training.fit.network.StreamingCRNN` is the specification;
the steps in C and in numpy agree with it to 1e-4. `streams` runs the network.
"""

from __future__ import annotations

from dataclasses import dataclass

from wakeword_daemon.engine.settings import Architecture, FeatureSettings
from wakeword_daemon.engine.weights import Weights, numbers, shape_of
from wakeword_daemon.errors import ModelError

LARGEST_ENERGY = 60.0
"""exp of this, summed over any window, still fits into a float32."""


@dataclass(frozen=True, slots=True, eq=False)
class CRNN:
    """The weights of one word.

    Attributes:
        architecture: the shape of the network.
        features: the front end that makes its input.
        weights: by name, in torch's layout; see `weight_shapes`.
        ways: how the word is said: its sounds, in each way to say it; see `sounds`. Without any,
            the sounds do not count.

    Raises:
        ModelError: weights are missing or do not fit the architecture, or the energies of attention
            could become too large for exp.

    """

    architecture: Architecture
    features: FeatureSettings
    weights: Weights
    ways: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        """Check the weights."""
        for name, shape in weight_shapes(self.architecture, self.features).items():
            found = shape_of(self.weights[name]) if name in self.weights else "nothing"
            check_shape(name, shape, found)
        if self.architecture.outputs > 1:
            return
        # tanh bounds the energies, so that exp needs no shift against overflow.
        highest = sum(map(abs, numbers(self.weights["energy.2.weight"])))
        if not highest < LARGEST_ENERGY:
            raise ModelError(f"attention energies up to {highest:.0f} cannot be computed")


MATRICES = ("gru.weight", "energy.0.weight", "scores.weight")
"""The names of the large matrices begin so. Training rounds these to float16, which halves the file
of a model and what a step reads."""


def check_shape(name: str, shape: tuple[int, ...], found: object) -> None:
    """Check the shape of a weight.

    Raises:
        ModelError: it is another one.

    """
    if found != shape:
        raise ModelError(f"the weight {name} should have the shape {shape}, but has {found}")


def weight_shapes(a: Architecture, features: FeatureSettings) -> dict[str, tuple[int, ...]]:
    """Return the name and shape of every weight of a network, in torch's layout."""
    shapes: dict[str, tuple[int, ...]] = {
        "conv.weight": (a.channels, 1, a.kernel_mels, a.kernel_frames),
        "conv.bias": (a.channels,),
    }
    for layer in range(a.layers):
        inputs = a.hidden if layer else a.channels * a.bands(features)
        shapes |= {
            f"gru.weight_ih_l{layer}": (3 * a.hidden, inputs),
            f"gru.weight_hh_l{layer}": (3 * a.hidden, a.hidden),
            f"gru.bias_ih_l{layer}": (3 * a.hidden,),
            f"gru.bias_hh_l{layer}": (3 * a.hidden,),
        }
    if a.outputs > 1:
        return shapes | {"scores.weight": (a.outputs, a.hidden), "scores.bias": (a.outputs,)}
    return shapes | {
        "energy.0.weight": (a.attention, a.hidden),
        "energy.0.bias": (a.attention,),
        "energy.2.weight": (1, a.attention),
        "energy.2.bias": (1,),
        "classifier.weight": (2, a.hidden),
        "classifier.bias": (2,),
    }
