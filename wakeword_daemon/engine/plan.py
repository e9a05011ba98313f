"""Packs networks into a plan, which the step in C runs: see `lay_out` in _plan.c.

Without numpy, which would take a quarter of the daemon's memory for this alone. Matrices are flat
here, row after row.
"""

from __future__ import annotations

import cmath
import mmap
from array import array
from typing import TYPE_CHECKING, Any

from wakeword_daemon.engine.crnn import MATRICES
from wakeword_daemon.engine.mel import FULL_SCALE, hann, mel_filters
from wakeword_daemon.engine.weights import halves, numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wakeword_daemon.engine.crnn import CRNN
    from wakeword_daemon.engine.settings import FeatureSettings

    Floats = array[float]
    Numbers = array[Any]
    """Of type "f", or "H" for float16, of which Python has no array."""

TILE = 32
BLOCK = 8
"""The outputs of a matrix and the units of a layer are padded with zeros to multiples of these."""
CACHE_LINE = 64
"""Bytes to a multiple of which the parts of a plan are aligned."""
_FIRST = "gru.weight_ih_l0"


def radices(points: int) -> list[int]:
    """Return the radices of the FFT's stages; the step in C knows no others."""
    found = []
    for radix in (5, 4, 2):
        while points % radix == 0:
            found.append(radix)
            points //= radix
    return found


def pack(networks: Sequence[CRNN], *, halves: bool = False) -> memoryview[float]:
    """Return the plan of networks that share their features and steps.

    It holds the integers of _step.h, the tables of the front end, and each network's weights in the
    order of use. Its parts start at cache lines.

    Args:
        networks: one for each word.
        halves: whether to keep the matrices of a network as float16, if that changes none of them.

    Returns:
        the plan as float32[n], in pages of its own.

    """
    features, first = networks[0].features, networks[0].architecture
    matrices = [_matrices(network, as_halves=halves) for network in networks]
    head = [
        features.window, features.hop, features.mels, first.kernel_frames, first.stride_frames,
        len(networks),
    ]  # fmt: skip
    for network, those in zip(networks, matrices, strict=True):
        a = network.architecture
        head += [
            a.bands(features), _up(a.channels, BLOCK), a.kernel_mels, a.stride_mels,
            _up(a.hidden, BLOCK), a.layers, a.attention, a.steps, those[_FIRST].itemsize, a.outputs,
        ]  # fmt: skip
    tables = _tables(features)
    for heights in mel_filters(features):
        bins = [number for number, height in enumerate(heights) if height]
        begin, end = (bins[0], bins[-1] + 1) if bins else (0, 0)
        head += [begin, end - begin]
        tables.extend(heights[begin:end])
    parts = [array("i", head).tobytes(), tables.tobytes()]
    weights = [
        part.tobytes()
        for network, those in zip(networks, matrices, strict=True)
        for part in _weights(network, those)
    ]
    parts = [part.ljust(_up(len(part), CACHE_LINE), b"\0") for part in parts]
    plan = b"".join((*parts, *weights))
    pages = mmap.mmap(-1, len(plan))
    pages.write(plan)
    return memoryview(pages).cast("f")


def _matrices(network: CRNN, *, as_halves: bool) -> dict[str, Numbers]:
    """Return the large matrices by name: all as float16, if that is wanted and changes none."""
    large = {name: one for name, one in network.weights.items() if name.startswith(MATRICES)}
    if as_halves:
        found = {name: half for name, one in large.items() if (half := halves(one)) is not None}
        if len(found) == len(large):
            return found
    return {name: numbers(weight) for name, weight in large.items()}


def _tables(features: FeatureSettings) -> Floats:
    """Return the window, floor and ceiling, twiddle factors by stage, those of the real FFT."""
    window = features.window
    # Half, for the even and the odd part of a spectrum.
    tables = array("f", [one / FULL_SCALE / 2 for one in hann(window)])
    tables.extend((features.floor, features.ceiling))
    length = window // 2
    for radix in radices(length):
        for p in range(1, length // radix):
            for k in range(1, radix):
                tables.extend(_unit(p * k / length))
        length //= radix
    for k in range(window // 4 + 1):
        tables.extend(_unit(k / window))
    return tables


def _unit(turns: float) -> tuple[float, float]:
    """Return exp(-2 pi i turns) as its real and imaginary part."""
    one = cmath.exp(-2j * cmath.pi * turns)
    return one.real, one.imag


def _weights(network: CRNN, matrices: Mapping[str, Numbers]) -> Iterator[Numbers]:
    """Yield the weights of a network: convolution, GRU layers, attention if any, classifier."""
    a, w = network.architecture, network.weights
    bands = a.bands(network.features)
    channels, hidden = _up(a.channels, BLOCK), _up(a.hidden, BLOCK)
    kernel = a.kernel_mels * a.kernel_frames
    yield _by_column(_padded(numbers(w["conv.weight"]), channels * kernel), kernel, BLOCK)
    for layer in range(a.layers):
        inputs = a.hidden
        matrix, bias = matrices[f"gru.weight_ih_l{layer}"], numbers(w[f"gru.bias_ih_l{layer}"])
        if layer == 0:
            own = numbers(w["gru.weight_ih_l0"])
            bias = _with_convolution(bias, own, numbers(w["conv.bias"]), bands)
            matrix = _band_by_band(matrix, a.channels * bands, bands, channels)
            inputs = channels * bands
        yield from _gates(matrix, inputs, bias, a.hidden)
        matrix, bias = matrices[f"gru.weight_hh_l{layer}"], numbers(w[f"gru.bias_hh_l{layer}"])
        yield from _gates(matrix, a.hidden, bias, a.hidden)
    if a.outputs > 1:
        matrix = _wider(matrices["scores.weight"], a.hidden, hidden)
        yield from _blocks(matrix, hidden, numbers(w["scores.bias"]))
        return
    matrix = _wider(matrices["energy.0.weight"], a.hidden, hidden)
    yield from _blocks(matrix, hidden, numbers(w["energy.0.bias"]))
    yield _padded(numbers(w["energy.2.weight"]), _up(a.attention, TILE))
    # Softmax over two classes is the logistic function of their difference. The attention weights
    # sum to 1, so the classifier can be applied to each step before the sum.
    for name, length in (("classifier.weight", hidden), ("classifier.bias", BLOCK)):
        both = numbers(w[name])
        half = len(both) // 2
        vote = array("f", [yes - no for no, yes in zip(both[:half], both[half:], strict=True)])
        yield _padded(vote, length)


def _with_convolution(bias: Floats, matrix: Floats, conv_bias: Floats, bands: int) -> Floats:
    """Return the first layer's bias plus the layer's matrix times the convolution's bias."""
    inputs = len(conv_bias) * bands
    return array(
        "f",
        (
            own
            + sum(
                value * sum(matrix[first + channel * bands : first + (channel + 1) * bands])
                for channel, value in enumerate(conv_bias)
            )
            for own, first in zip(bias, range(0, len(matrix), inputs), strict=True)
        ),
    )


def _band_by_band(matrix: Numbers, inputs: int, bands: int, channels: int) -> Numbers:
    """Return a matrix for inputs that come band by band, with so many channels, some of zeros."""
    turned = array(matrix.typecode)
    for first in range(0, len(matrix), inputs):
        row = matrix[first : first + inputs]
        for band in range(bands):
            turned.extend(_padded(row[band::bands], channels))
    return turned


def _gates(matrix: Numbers, inputs: int, bias: Floats, size: int) -> Iterator[Numbers]:
    """Yield the matrix and bias of three gates, in blocks, each gate padded, and each row."""
    full, columns = _up(size, BLOCK), _up(inputs, BLOCK)
    by_gate, biases = array(matrix.typecode), array("f")
    for gate in range(3):
        rows = matrix[gate * size * inputs : (gate + 1) * size * inputs]
        by_gate.extend(_padded(_wider(rows, inputs, columns), full * columns))
        biases.extend(_padded(bias[gate * size : (gate + 1) * size], full))
    return _blocks(by_gate, columns, biases)


def _blocks(matrix: Numbers, inputs: int, bias: Floats) -> Iterator[Numbers]:
    """Yield a matrix and its bias as blocks: a bias and rows of weights for TILE outputs."""
    outputs = _up(len(bias), TILE)
    matrix, bias = _padded(matrix, outputs * inputs), _padded(bias, outputs)
    for first in range(0, outputs, TILE):
        yield bias[first : first + TILE]
        yield _by_column(matrix[first * inputs : (first + TILE) * inputs], inputs, TILE)


def _by_column(matrix: Numbers, columns: int, rows: int) -> Numbers:
    """Return each group of so many rows column by column."""
    turned = array(matrix.typecode)
    for first in range(0, len(matrix), rows * columns):
        group = matrix[first : first + rows * columns]
        for column in range(columns):
            turned.extend(group[column::columns])
    return turned


def _wider(matrix: Numbers, columns: int, wanted: int) -> Numbers:
    """Return a matrix with zeros at the end of each row."""
    if columns == wanted:
        return matrix
    wider = array(matrix.typecode)
    for first in range(0, len(matrix), columns):
        wider.extend(_padded(matrix[first : first + columns], wanted))
    return wider


def _padded(some: Numbers, length: int) -> Numbers:
    """Return numbers, with zeros at the end."""
    if len(some) == length:
        return some
    return some + array(some.typecode, bytes(some.itemsize * (length - len(some))))


def _up(count: int, to: int) -> int:
    """Return a count, rounded up to a multiple of `to`."""
    return -(-count // to) * to
