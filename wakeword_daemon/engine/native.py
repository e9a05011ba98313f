"""Loads the step in C, and makes the plans that it runs."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from wakeword_daemon.engine.arrays import halved
from wakeword_daemon.engine.crnn import MATRICES
from wakeword_daemon.engine.logmel import FULL_SCALE, hann
from wakeword_daemon.engine.mel import mel_filters

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wakeword_daemon.engine.arrays import Array
    from wakeword_daemon.engine.crnn import CRNN
    from wakeword_daemon.engine.settings import FeatureSettings

logger = logging.getLogger(__name__)

INTERFACE = 3
"""Version of the step in C that this module can call; the same as in _module.c."""
TILE = 32
BLOCK = 8
"""The outputs of a matrix and the units of a layer are padded with zeros to multiples of these."""
LONGEST_WINDOW = 1024
ALIGNMENT = 16
"""Floats in a cache line; the parts of a plan are aligned to it."""


@cache
def native_step() -> Any:  # noqa: ANN401 - a module in C, or nothing
    """Return the step in C, or None; log once if there is one that cannot be used."""
    try:
        from wakeword_daemon.engine import _step  # type: ignore[attr-defined] # noqa: PLC0415
    except ModuleNotFoundError:
        return None
    except ImportError as error:
        # A file from another machine. A missing file gives "cannot import name".
        if "cannot import name" not in str(error):
            logger.warning("the step in C cannot be loaded, numpy takes over: %s", error)
        return None
    found = getattr(_step, "INTERFACE", None)
    if found != INTERFACE:
        logger.warning(
            "the step in C is of version %s, not %s, and numpy takes over; install the package "
            "again to build it",
            found,
            INTERFACE,
        )
        return None
    return _step


def can_run(networks: Sequence[CRNN]) -> bool:
    """Return whether the step in C is available and can run these networks."""
    window = networks[0].features.window
    return (
        native_step() is not None
        and window % 2 == 0
        and window <= LONGEST_WINDOW
        and np.prod(radices(window // 2), dtype=int) == window // 2
    )


def radices(points: int) -> list[int]:
    """Return the radices of the FFT's stages; the step in C knows no others."""
    found = []
    for radix in (5, 4, 2):
        while points % radix == 0:
            found.append(radix)
            points //= radix
    return found


def pack(networks: Sequence[CRNN], *, halves: bool = False) -> Array:
    """Return the plan of networks that share their features and steps: one block of float32.

    It holds the integers of _step.h, the tables of the front end, and each network's weights in the
    order of use. Its parts start at cache lines.

    Args:
        networks: one for each word.
        halves: whether to keep the matrices of a network as float16, if that changes none of them.

    """
    features, first = networks[0].features, networks[0].architecture
    types = [np.float16 if halves and are_halves(one) else np.float32 for one in networks]
    head = [
        features.window, features.hop, features.mels, first.kernel_frames, first.stride_frames,
        len(networks),
    ]  # fmt: skip
    for network, number in zip(networks, types, strict=True):
        a = network.architecture
        head += [
            a.bands(features), _up(a.channels, BLOCK), a.kernel_mels, a.stride_mels,
            _up(a.hidden, BLOCK), a.layers, a.attention, a.steps, np.dtype(number).itemsize,
        ]  # fmt: skip
    triangles = []
    for column in mel_filters(features).T:
        bins = np.flatnonzero(column)
        head += [bins[0], len(bins)] if len(bins) else [0, 0]
        triangles.append(column[bins])
    parts = [
        np.array(head, np.int32).view(np.float32),
        np.concatenate([*_tables(features), *triangles], dtype=np.float32),
        np.concatenate(
            [
                part.ravel()
                for network, number in zip(networks, types, strict=True)
                for part in _weights(network, number)
            ]
        ),
    ]
    sizes = [_up(len(part), ALIGNMENT) for part in parts[:-1]] + [len(parts[-1])]
    block = np.zeros(sum(sizes) + ALIGNMENT, np.float32)
    start = -block.ctypes.data // 4 % ALIGNMENT
    plan = block[start : start + sum(sizes)]
    for part, end in zip(parts, np.cumsum(sizes), strict=True):
        begin = end - _up(len(part), ALIGNMENT if part is not parts[-1] else 1)
        plan[begin : begin + len(part)] = part
    return plan


def are_halves(network: CRNN) -> bool:
    """Return whether float16 holds the matrices of a network exactly."""
    return all(
        halved(weight) is not None
        for name, weight in network.weights.items()
        if name.startswith(MATRICES)
    )


def _tables(features: FeatureSettings) -> Iterator[npt.NDArray[np.float64]]:
    """Yield the window, floor and ceiling, twiddle factors by stage, and those of the real FFT."""
    window = features.window
    yield hann(window) / FULL_SCALE / 2  # half, for the even and the odd part of a spectrum
    yield np.array([features.floor, features.ceiling])
    length = window // 2
    for radix in radices(length):
        p, k = np.ogrid[1 : length // radix, 1:radix]
        yield _unit(p * k / length).ravel()
        length //= radix
    yield _unit(np.arange(window // 4 + 1) / window).ravel()


def _weights(network: CRNN, number: npt.DTypeLike) -> Iterator[Array]:
    """Yield the weights of a network: convolution, GRU layers, attention, classifier.

    `number` is the type of those in blocks.
    """
    a, w = network.architecture, network.weights
    bands, channels = a.bands(network.features), _up(a.channels, BLOCK)
    kernel = np.zeros((channels, a.kernel_mels * a.kernel_frames), np.float32)
    kernel[: a.channels] = w["conv.weight"].reshape(a.channels, -1)
    yield kernel.reshape(-1, BLOCK, kernel.shape[1]).swapaxes(1, 2)
    for layer in range(a.layers):
        matrix, bias = w[f"gru.weight_ih_l{layer}"], w[f"gru.bias_ih_l{layer}"]
        if layer == 0:
            # The convolution's bias is multiplied by the matrix here, and its output comes band by
            # band.
            by_channel = matrix.reshape(-1, a.channels, bands)
            bias = bias + np.einsum("gcb,c->g", by_channel, w["conv.bias"])
            matrix = np.zeros((len(matrix), bands, channels), np.float32)
            matrix[..., : a.channels] = by_channel.swapaxes(1, 2)
        yield _gates(matrix.reshape(len(matrix), -1), bias, a.hidden, number)
        yield _gates(w[f"gru.weight_hh_l{layer}"], w[f"gru.bias_hh_l{layer}"], a.hidden, number)
    hidden = _up(a.hidden, BLOCK)
    yield _blocks(_padded(w["energy.0.weight"], 1, hidden), w["energy.0.bias"], number)
    yield _padded(w["energy.2.weight"], 1, _up(a.attention, TILE))
    # Softmax over two classes is the logistic function of their difference. The attention weights
    # sum to 1, so the classifier can be applied to each step before the sum.
    vote = w["classifier.weight"][1:] - w["classifier.weight"][:1]
    yield _padded(vote, 1, hidden)
    yield _padded(w["classifier.bias"][1:] - w["classifier.bias"][:1], 0, BLOCK)


def _gates(matrix: Array, bias: Array, size: int, number: npt.DTypeLike) -> Array:
    """Return the matrix and bias of three gates, in blocks, each gate padded."""
    full = _up(size, BLOCK)
    by_gate = _padded(matrix.reshape(3, size, -1), 1, full)
    by_gate = _padded(by_gate, 2, _up(matrix.shape[1], BLOCK))
    by_gate = by_gate.reshape(3 * full, -1)
    return _blocks(by_gate, _padded(bias.reshape(3, size), 1, full).ravel(), number)


def _blocks(matrix: Array, bias: Array, number: npt.DTypeLike) -> Array:
    """Return [outputs, inputs] and a bias as blocks: a bias and rows of weights for TILE outputs.

    `number` is the type of the weights, whose bytes are returned as if they were float32.
    """
    outputs = _up(len(matrix), TILE)
    rows = _padded(matrix, 0, outputs).reshape(-1, TILE, matrix.shape[1]).swapaxes(1, 2)
    weights = np.ascontiguousarray(rows, number).reshape(len(rows), -1).view(np.float32)
    return np.concatenate([_padded(bias, 0, outputs).reshape(-1, TILE), weights], axis=1)


def _padded(array: Array, axis: int, length: int) -> Array:
    """Return an array padded with zeros to a length along one axis."""
    widths = [(0, length - size if at == axis else 0) for at, size in enumerate(array.shape)]
    return np.pad(array, widths).astype(np.float32)


def _up(count: int, to: int) -> int:
    """Return a count, rounded up to a multiple of `to`."""
    return -(-count // to) * to


def _unit(turns: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return exp(-2 pi i turns) as real and imaginary parts, [..., 2]."""
    angle = -2 * np.pi * turns
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)
