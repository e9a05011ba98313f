"""The model file of a wake word: its weights, and what was measured with it; no code.

A safetensors file: named arrays, and one metadata entry `wakeword` that holds the `ModelCard` as
JSON. A checksum over both shows whether the file was altered. Weights are floats of 32 bits, or of
16 where these hold them exactly, or int8 with a float array NAME.scale, which has one factor for
each row or one for all.
"""

from __future__ import annotations

import hashlib
import json
import math
from array import array
from dataclasses import dataclass, field, replace
from pathlib import Path
from struct import unpack
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from safetensors import SafetensorError, deserialize

from wakeword_daemon.buffers import view
from wakeword_daemon.engine.crnn import CRNN, check_shape, weight_shapes
from wakeword_daemon.engine.settings import Architecture, FeatureSettings
from wakeword_daemon.engine.sounds import Ways, is_said
from wakeword_daemon.engine.streams import new_stream
from wakeword_daemon.engine.weights import Weights, halves, numbers, shape_of, shaped
from wakeword_daemon.errors import ConfigError, ModelError
from wakeword_daemon.storage import write_atomically

if TYPE_CHECKING:
    from wakeword_daemon.engine.trigger import WordSettings
    from wakeword_daemon.engine.weights import Weight

FORMAT = 1
DEFAULT_TARGET = 0.5
"""False accepts an hour that a word's default threshold is chosen to keep within."""
_ENTRY = "wakeword"
_SELF_TEST_INPUT = "selftest.mel"
_SELF_TEST_OUTPUT = "selftest.probabilities"
_SCALE = ".scale"
_TOLERANCE = 1e-3
# Log-mel values of the self-test are stored as bytes: -20.8 + 0.125 * byte.
_MEL_ORIGIN = -20.8
_MEL_STEP = 0.125

_KINDS = {
    "F32": ("float32", "f"),
    "F16": ("float16", "e"),
    "I8": ("int8", "b"),
    "U8": ("uint8", "B"),
}
"""What numbers of each type of safetensors are called in a checksum, and by `struct`."""


class StoredArray(NamedTuple):
    """An array as it is in the file: its type as safetensors calls it, its shape, its bytes."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes

    def numbers(self) -> tuple[float, ...]:
        """Return its numbers, row after row."""
        code = _KINDS[self.dtype][1]
        return unpack(f"<{math.prod(self.shape)}{code}", self.data)


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """What was measured at one threshold, on speech that was not used in training.

    Attributes:
        target: the false accepts an hour that the threshold was chosen to keep within.
        threshold: the score from which the word is reported.
        miss_rate: share of the spoken words that were missed, 0 to 1.
        false_accepts_per_hour: how often the word was reported in other speech.

    """

    target: float
    threshold: float
    miss_rate: float
    false_accepts_per_hour: float


@dataclass(frozen=True, slots=True)
class TrainingSource:
    """A collection of recordings used in training, and its licence."""

    name: str
    licence: str


@dataclass(frozen=True, slots=True)
class Origin:
    """What made a model.

    Attributes:
        code: commit of the program, with "+" where its code was changed after it; or its version.
        data: digest of the list of recordings: path, word, speaker and split of each.
        command: what was called, without the paths of one's machine; "" in models from before this
            was kept.

    """

    code: str
    data: str
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """Everything about a model except its weights.

    Attributes:
        name: the word as settings and events call it, e.g. smart_mirror.
        phrase: the word as it is spoken.
        language: BCP 47 tag of the language it was trained in.
        features, architecture: the front end and the shape of the network.
        ways: how the word is said: its sounds, named as in `sounds.SOUNDS`, in each way to say it.
        threshold: the default threshold.
        operating_points: misses and false accepts at other thresholds.
        hours: hours of other speech in which the false accepts were counted.
        takes: number of spoken words among which the misses were counted.
        sources: the collections used in training.
        origin: what made it; None in models from before this was kept.
        format: version of this file format.
        checksum: of the arrays and of this card without it, SHA-256 in hex.

    """

    name: str
    phrase: str
    language: str
    features: FeatureSettings
    architecture: Architecture
    threshold: float
    operating_points: list[OperatingPoint] = field(default_factory=list)
    hours: float = 0.0
    takes: int = 0
    sources: list[TrainingSource] = field(default_factory=list)
    origin: Origin | None = None
    ways: Ways = ()
    format: int = FORMAT
    checksum: str = ""

    def threshold_within(self, rate: float) -> float:
        """Return the threshold that keeps within a rate of false accepts.

        It is the measured threshold of the highest target within the rate. A lower rate never gets
        a lower threshold than a higher rate: a rate of `DEFAULT_TARGET` or less gets at least
        the default threshold, a higher rate at most that.

        Args:
            rate: false accepts an hour that are tolerated.

        Raises:
            ConfigError: nothing was measured for so low a rate, or nothing at all.

        """
        if not self.operating_points:
            raise ConfigError(
                f"the model of {self.name} was not measured at any sensitivity; set its threshold"
            )
        within = [point.target for point in self.operating_points if point.target <= rate]
        if not within:
            targets = ", ".join(
                f"{target:g}" for target in sorted(p.target for p in self.operating_points)
            )
            raise ConfigError(
                f"the model of {self.name} was not measured at a sensitivity of {rate:g} false"
                f" accepts/hour or less; choose from {targets}, or set its threshold"
            )
        chosen = max(within)
        # By chance the measured thresholds may contradict that rule, which comes first.
        if chosen <= DEFAULT_TARGET:
            between = [
                p.threshold for p in self.operating_points if chosen <= p.target <= DEFAULT_TARGET
            ]
            return max(self.threshold, *between)
        between = [
            p.threshold for p in self.operating_points if DEFAULT_TARGET < p.target <= chosen
        ]
        return min(self.threshold, *between)


@dataclass(frozen=True, slots=True, eq=False)
class SelfTest:
    """An input, and the probabilities that the network must give for it.

    Attributes:
        mel: log-mel frames, uint8[frames, mels].
        probabilities: one a step, float32[steps].

    """

    mel: memoryview
    probabilities: array[float]

    @classmethod
    def record(cls, network: CRNN, log_mel: Weight) -> SelfTest:
        """Run a network over log-mel frames [frames, mels], and keep the frames and its output."""
        values = numbers(log_mel)
        rounded = (round((value - _MEL_ORIGIN) / _MEL_STEP) for value in values)
        in_range = bytes(min(max(value, 0), 255) for value in rounded)
        mel = memoryview(in_range).cast("B", shape_of(log_mel))
        return cls(mel, _run(network, _log_mel(mel)))

    def log_mel(self) -> memoryview[float]:
        """Return the input as log-mel frames, float32[frames, mels]."""
        return _log_mel(self.mel)


NO_SELF_TEST = SelfTest(memoryview(b""), array("f"))
"""Of a model that cannot test itself; `Model.self_test` fails."""


def _log_mel(mel: memoryview) -> memoryview[float]:
    values = [_MEL_ORIGIN + _MEL_STEP * step for step in range(256)]
    return shaped(array("f", map(values.__getitem__, mel.tobytes())), shape_of(mel))


def _run(network: CRNN, log_mel: Weight) -> array[float]:
    made = new_stream([network]).hear_frames(log_mel)
    return array("f", (probability for _, _, (probability,) in made))


@dataclass(frozen=True, slots=True)
class Model:
    """A wake word that is ready to run.

    Attributes:
        card: everything about it except its weights.
        weights: by name, in torch's layout; see `crnn.weight_shapes`.
        self_test_vector: what `self_test` runs.

    """

    card: ModelCard
    weights: Weights
    self_test_vector: SelfTest

    @property
    def name(self) -> str:
        """The word as settings and events call it."""
        return self.card.name

    @property
    def phrase(self) -> str:
        """The word as it is spoken."""
        return self.card.phrase

    @property
    def threshold(self) -> float:
        """The default threshold."""
        return self.card.threshold

    def threshold_for(self, settings: WordSettings) -> float:
        """Return the threshold that the settings ask for, or else the model's own.

        Raises:
            ConfigError: the model was not measured at the sensitivity that is asked for.

        """
        if settings.threshold is not None:
            return settings.threshold
        if settings.false_accepts_per_hour is not None:
            return self.card.threshold_within(settings.false_accepts_per_hour)
        return self.threshold

    @property
    def model_id(self) -> str:
        """Name and first digits of the checksum, which identify the file."""
        return f"{self.card.name}-{self.card.checksum[:8]}"

    def network(self) -> CRNN:
        """Return the network that the engine runs.

        Raises:
            ModelError: the weights do not fit the architecture.

        """
        card = self.card
        return CRNN(card.architecture, card.features, self.weights, card.ways)

    def self_test(self) -> None:
        """Run the stored input, and compare the probabilities with the stored ones.

        Raises:
            ModelError: they differ, so the word would not be detected as it was measured; or the
                input does not fit.

        """
        vector = self.self_test_vector
        if shape_of(vector.mel)[1:] != (self.card.features.mels,):
            raise ModelError(
                f"the self-test of the model {self.model_id} does not fit its features"
            )
        found, expected = _run(self.network(), vector.log_mel()), vector.probabilities
        alike = bool(found) and len(found) == len(expected)
        if not alike or not all(
            abs(one - other) < _TOLERANCE for one, other in zip(found, expected, strict=True)
        ):
            raise ModelError(
                f"the model {self.model_id} does not give the probabilities it was shipped with "
                "on this machine; reinstall it"
            )


def save_model(path: Path, model: Model) -> Model:
    """Write a model file, atomically; return the model with its checksum.

    Raises:
        OSError: the folder cannot be written to.

    """
    vector = model.self_test_vector
    arrays = {name: stored(weight) for name, weight in model.weights.items()}
    arrays[_SELF_TEST_INPUT] = StoredArray("U8", shape_of(vector.mel), vector.mel.tobytes())
    expected = vector.probabilities
    arrays[_SELF_TEST_OUTPUT] = StoredArray("F32", (len(expected),), expected.tobytes())
    unsigned = msgspec.json.encode(replace(model.card, checksum="")).decode()
    card = replace(model.card, checksum=checksum_of(unsigned, arrays))
    write_arrays(path, arrays, _ENTRY, msgspec.json.encode(card).decode())
    return Model(card, model.weights, vector)


def write_arrays(path: Path, arrays: dict[str, StoredArray], entry: str, content: str) -> None:
    """Write a safetensors file with one entry of metadata, atomically.

    Raises:
        OSError: the folder cannot be written to.

    """
    import numpy as np  # noqa: PLC0415 -- only who makes models needs it
    from safetensors.numpy import save  # noqa: PLC0415

    found = {
        name: np.frombuffer(one.data, _KINDS[one.dtype][0]).reshape(one.shape)
        for name, one in arrays.items()
    }
    write_atomically(path, save(found, {entry: content}))


def read_model(path: str | Path) -> Model:
    """Read a model file.

    Raises:
        ModelError: there is no such file, or it is truncated, altered, of another version, or not
            a model file.

    """
    path = Path(path)
    entry, arrays = read_arrays(path, _ENTRY)
    card = _read_card(path, entry)
    check_unaltered(path, entry, card.checksum, arrays)
    try:
        vector = _self_test(arrays[_SELF_TEST_INPUT], arrays[_SELF_TEST_OUTPUT])
        weights = {
            name: float32(arrays, name, shape)
            for name, shape in weight_shapes(card.architecture, card.features).items()
        }
    except KeyError as error:
        raise ModelError(f"{path} lacks the array {error}") from None
    return Model(card, weights, vector)


def read_arrays(path: Path, entry: str) -> tuple[str, dict[str, StoredArray]]:
    """Return an entry of the metadata of a safetensors file, and its arrays by name.

    Raises:
        ModelError: there is no such file, or it is truncated, or it has no such entry.

    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"there is no model file {path}") from None
    except OSError as error:
        raise ModelError(f"the model file {path} cannot be read: {error.strerror}") from None
    try:
        arrays = stored_arrays(content)
        size = int.from_bytes(content[:8], "little")
        found = json.loads(content[8 : 8 + size])["__metadata__"][entry]
    except SafetensorError as error:
        raise ModelError(f"{path} is truncated or not a model file ({error})") from None
    except (ValueError, KeyError, RecursionError):
        raise ModelError(f"{path} is not a model file of a wake word") from None
    for name, one in arrays.items():
        if one.dtype not in _KINDS:
            raise ModelError(
                f"{path} has numbers of a type that is not read: {name!r}, {one.dtype}"
            )
    return found, arrays


def check_unaltered(path: Path, entry: str, checksum: str, arrays: dict[str, StoredArray]) -> None:
    """Check a file against the checksum in its entry.

    Raises:
        ModelError: they do not match.

    """
    if checksum != checksum_of(entry.replace(checksum, ""), arrays):
        raise ModelError(f"{path} was altered after it was written: its checksum does not match")


def _self_test(mel: StoredArray, probabilities: StoredArray) -> SelfTest:
    if mel.dtype != "U8" or not mel.data:
        return NO_SELF_TEST
    frames = memoryview(mel.data).cast("B", mel.shape)
    return SelfTest(frames, array("f", probabilities.numbers()))


def stored_arrays(content: bytes) -> dict[str, StoredArray]:
    """Return the arrays of a safetensors file by name.

    Raises:
        SafetensorError: it is not one.

    """
    return {
        name: StoredArray(one["dtype"], tuple(one["shape"]), bytes(one["data"]))
        for name, one in deserialize(content)  # type: ignore[no-untyped-call]
    }


def _read_card(path: Path, entry: str) -> ModelCard:
    try:
        version = msgspec.json.decode(entry, type=dict[str, msgspec.Raw])["format"]
        if bytes(version) != str(FORMAT).encode():
            raise ModelError(
                f"{path} has format version {bytes(version).decode()}; this program reads version "
                f"{FORMAT}: update the program, or train the word again"
            )
        card = msgspec.json.decode(entry, type=ModelCard)
    except (msgspec.DecodeError, KeyError, RecursionError) as error:
        raise ModelError(f"the description inside {path} is not readable: {error}") from None
    # Both are written into the log, where a line break could forge a line.
    if not (card.name.isprintable() and card.phrase.isprintable()):
        raise ModelError(f"the word's name inside {path} has unprintable characters")
    if not is_said(card.ways):
        raise ModelError(f"{path} says of its word that it has sounds which are not known")
    if not 0 < card.threshold < 1:
        raise ModelError(f"the threshold inside {path} is not between 0 and 1")
    return card


def float32(arrays: dict[str, StoredArray], name: str, shape: tuple[int, ...]) -> Weight:
    """Return the numbers of a stored weight.

    Raises:
        ModelError: it has another shape.
        KeyError: there is no such weight.

    """
    stored = arrays[name]
    check_shape(name, shape, stored.shape)
    found = array("f", stored.numbers())
    if stored.dtype == "I8":
        factors = arrays[name + _SCALE].numbers()
        if len(factors) not in {1, shape[0]}:
            raise ModelError(
                f"the weight {name} has {shape[0]} rows, but {len(factors)} scale factors"
            )
        each = len(found) // len(factors)
        found = array("f", (one * factors[at // each] for at, one in enumerate(found)))
    return shaped(found, shape)


def stored(weight: Weight) -> StoredArray:
    """Return a weight as it is kept: float32 as float16, if that changes nothing."""
    shape, given = shape_of(weight), view(weight)
    kind = next(name for name, (_, code) in _KINDS.items() if code == given.format)
    half = halves(weight) if kind == "F32" else None
    if half is None:
        return StoredArray(kind, shape, given.tobytes())
    return StoredArray("F16", shape, half.tobytes())


def checksum_of(unsigned: str, arrays: dict[str, StoredArray]) -> str:
    """Return the checksum of arrays and of a card in JSON whose own checksum is empty."""
    digest = hashlib.sha256(unsigned.encode())
    for name, one in sorted(arrays.items()):
        digest.update(f"{name} {_KINDS[one.dtype][0]} {one.shape}\n".encode())
        digest.update(one.data)
    return digest.hexdigest()
