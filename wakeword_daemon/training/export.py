"""From a trained network to what the engine runs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wakeword_daemon.training.network import CRNN


def folded_weights(network: CRNN) -> dict[str, npt.NDArray[np.float32]]:
    """Return the weights of a network with the shift and scale of its input folded in.

    (x - mean) / std convolved with W plus b is x convolved with W / std plus
    b - sum(W) * mean / std: the convolution pads nothing, so this is exact.
    """
    weights = {
        name: value.detach().numpy().astype(np.float32)
        for name, value in network.state_dict().items()
        if name not in ("mean", "std")
    }
    kernel = weights["conv.weight"] / network.std.numpy()
    weights["conv.bias"] = weights["conv.bias"] - kernel.sum(axis=(1, 2, 3)) * network.mean.numpy()
    weights["conv.weight"] = kernel
    return {name: np.ascontiguousarray(value, np.float32) for name, value in weights.items()}
