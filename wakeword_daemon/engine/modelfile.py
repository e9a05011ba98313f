"""The model file of a wake word: its weights, and what was measured with it; no code.

A safetensors file: named arrays, and one metadata entry `wakeword` that holds the `ModelCard` as
JSON. A checksum over both shows whether the file was altered. Weights are floats of 32 bits, or of
16 where these hold them exactly, or int8 with a float array NAME.scale, which has one factor for
each row or one for all.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from wakeword_daemon.engine.arrays import halved
from wakeword_daemon.engine.crnn import CRNN, weight_shapes
from wakeword_daemon.engine.settings import Architecture, FeatureSettings
from wakeword_daemon.engine.streams import new_stream
from wakeword_daemon.errors import ConfigError, ModelError
from wakeword_daemon.storage import write_atomically

if TYPE_CHECKING:
    from wakeword_daemon.engine.trigger import WordSettings

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

Arrays = dict[str, npt.NDArray[np.float32]]


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


@dataclass(frozen=True, slots=True)
class SelfTest:
    """An input, and the probabilities that the network must give for it.

    Attributes:
        mel: log-mel frames [frames, mels], as bytes.
        probabilities: one a step, [steps].

    """

    mel: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float32]

    @classmethod
    def record(cls, network: CRNN, log_mel: npt.NDArray[np.float32]) -> SelfTest:
        """Run a network over log-mel frames [frames, mels], and keep the frames and its output."""
        mel = ((log_mel - _MEL_ORIGIN) / _MEL_STEP).round().clip(0, 255).astype(np.uint8)
        return cls(mel, _run(network, _log_mel(mel)))

    def log_mel(self) -> npt.NDArray[np.float32]:
        """Return the input as log-mel frames [frames, mels]."""
        return _log_mel(self.mel)


def _log_mel(mel: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return (_MEL_ORIGIN + _MEL_STEP * mel).astype(np.float32)


def _run(network: CRNN, log_mel: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    made = new_stream([network]).hear_frames(log_mel)
    return np.array([probability for _, _, (probability,) in made], np.float32)


@dataclass(frozen=True, slots=True)
class Model:
    """A wake word that is ready to run.

    Attributes:
        card: everything about it except its weights.
        weights: by name, in torch's layout; see `crnn.weight_shapes`.
        self_test_vector: what `self_test` runs.

    """

    card: ModelCard
    weights: Arrays
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
        return CRNN(self.card.architecture, self.card.features, self.weights)

    def self_test(self) -> None:
        """Run the stored input, and compare the probabilities with the stored ones.

        Raises:
            ModelError: they differ, so the word would not be detected as it was measured; or the
                input does not fit.

        """
        mel, mels = self.self_test_vector.mel, self.card.features.mels
        if mel.dtype != np.uint8 or mel.shape[1:] != (mels,):
            raise ModelError(
                f"the self-test of the model {self.model_id} does not fit its features"
            )
        found = _run(self.network(), self.self_test_vector.log_mel())
        expected = self.self_test_vector.probabilities
        alike = found.size and found.shape == expected.shape
        if not alike or not np.abs(found - expected).max() < _TOLERANCE:
            raise ModelError(
                f"the model {self.model_id} does not give the probabilities it was shipped with "
                "on this machine; reinstall it, and numpy"
            )


def save_model(path: Path, model: Model) -> Model:
    """Write a model file, atomically; return the model with its checksum.

    Raises:
        OSError: the folder cannot be written to.

    """
    vector = model.self_test_vector
    arrays: dict[str, npt.NDArray[np.generic]] = {
        **{name: _shortest(weight) for name, weight in model.weights.items()},
        _SELF_TEST_INPUT: vector.mel,
        _SELF_TEST_OUTPUT: vector.probabilities,
    }
    unsigned = msgspec.json.encode(replace(model.card, checksum="")).decode()
    card = replace(model.card, checksum=_checksum(unsigned, arrays))
    write_atomically(path, save_arrays(arrays, {_ENTRY: msgspec.json.encode(card).decode()}))
    return Model(card, model.weights, vector)


def read_model(path: str | Path) -> Model:
    """Read a model file.

    Raises:
        ModelError: there is no such file, or it is truncated, altered, of another version, or not
            a model file.

    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"there is no model file {path}") from None
    except OSError as error:
        raise ModelError(f"the model file {path} cannot be read: {error.strerror}") from None
    try:
        arrays = load_arrays(content)
        size = int.from_bytes(content[:8], "little")
        entry = json.loads(content[8 : 8 + size])["__metadata__"][_ENTRY]
    except SafetensorError as error:
        raise ModelError(f"{path} is truncated or not a model file ({error})") from None
    except (ValueError, KeyError, RecursionError):
        raise ModelError(f"{path} is not a model file of a wake word") from None
    card = _read_card(path, entry)
    unsigned = entry.replace(card.checksum, "")
    if card.checksum != _checksum(unsigned, arrays):
        raise ModelError(f"{path} was altered after it was written: its checksum does not match")
    try:
        vector = SelfTest(arrays.pop(_SELF_TEST_INPUT), arrays.pop(_SELF_TEST_OUTPUT))
        weights = {
            name: _float32(arrays, name) for name in weight_shapes(card.architecture, card.features)
        }
    except KeyError as error:
        raise ModelError(f"{path} lacks the array {error}") from None
    return Model(card, weights, vector)


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
    if not 0 < card.threshold < 1:
        raise ModelError(f"the threshold inside {path} is not between 0 and 1")
    return card


def _float32(arrays: dict[str, npt.NDArray[np.generic]], name: str) -> npt.NDArray[np.float32]:
    stored = arrays[name]
    numbers: npt.NDArray[np.float32] = stored.astype(np.float32)
    if stored.dtype != np.int8:
        return numbers
    rows = arrays[name + _SCALE].astype(np.float32)
    numbers *= rows.reshape(-1, *[1] * (stored.ndim - 1))
    return numbers


def _shortest(weight: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Return a weight as float16, if that changes nothing."""
    half = halved(weight) if weight.dtype == np.float32 else None
    return weight if half is None else half


def _checksum(unsigned: str, arrays: dict[str, npt.NDArray[np.generic]]) -> str:
    """Return the checksum of arrays and of a card in JSON whose own checksum is empty."""
    digest = hashlib.sha256(unsigned.encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
