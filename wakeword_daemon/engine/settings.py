"""The front end and the shape of a network: plain numbers that engine and training share."""

from __future__ import annotations

from dataclasses import dataclass

from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.errors import ModelError

_LONGEST_WINDOW = 4096
_LARGEST = 1024
"""The most of anything else. A model file must not be able to ask for all memory."""


@dataclass(frozen=True, slots=True)
class FeatureSettings:
    """The log-mel front end: HTK mel filters on a power spectrum, no centre padding.

    Attributes:
        window: samples in one Hann window, also the FFT length.
        hop: samples between the starts of two frames.
        mels: triangular filters between 0 Hz and the Nyquist frequency.
        floor, ceiling: mel power is clamped to this range before the logarithm. White noise at
            -79 dBFS is at the floor. With a lower floor, digital silence before a word would have
            more weight than the word.

    Raises:
        ModelError: the settings contradict each other.

    """

    window: int = 400
    hop: int = 160
    mels: int = 40
    floor: float = 1e-5
    ceiling: float = 1e9

    def __post_init__(self) -> None:
        """Check the settings."""
        if not (
            0 < self.hop <= self.window <= _LONGEST_WINDOW
            and 0 < self.mels <= _LARGEST
            and 0 < self.floor < self.ceiling
        ):
            raise ModelError(f"the feature settings contradict each other: {self}")

    @property
    def frames_per_second(self) -> float:
        """Mel frames a second."""
        return SAMPLE_RATE / self.hop

    def frame_end(self, frame: int) -> int:
        """Return the index one past the last sample that mel frame `frame` (from 0) covers."""
        return frame * self.hop + self.window


@dataclass(frozen=True, slots=True)
class Architecture:
    """The shape of an attention CRNN (Shan et al. 2018, arXiv:1803.10916).

    The defaults are the teacher of 70,443 parameters.

    Attributes:
        channels: output channels of the convolution.
        kernel_mels, kernel_frames: its kernel along frequency and time.
        stride_mels, stride_frames: its stride; one step of the network is `stride_frames` frames.
        hidden: units of each GRU layer.
        layers: GRU layers.
        attention: inner size of the energy network Linear → tanh → Linear.
        steps: T, the number of steps that attention covers, the newest included.
        outputs: 1 for the probability of a word; more for as many scores of each step by itself,
            without attention.

    Raises:
        ModelError: a network of this shape cannot stream.

    """

    channels: int = 8
    kernel_mels: int = 5
    kernel_frames: int = 20
    stride_mels: int = 2
    stride_frames: int = 8
    hidden: int = 64
    layers: int = 2
    attention: int = 64
    steps: int = 16
    outputs: int = 1

    def __post_init__(self) -> None:
        """Check the shape."""
        numbers = [getattr(self, name) for name in self.__slots__]
        in_range = min(numbers) >= 1 and max(numbers) <= _LARGEST
        if not in_range or self.stride_frames > self.kernel_frames:
            raise ModelError(f"the architecture cannot stream: {self}")

    def bands(self, features: FeatureSettings) -> int:
        """Return how many positions the convolution has along the mel axis.

        Raises:
            ModelError: the kernel is larger than the mel axis.

        """
        if features.mels < self.kernel_mels:
            raise ModelError(f"a kernel of {self.kernel_mels} mels needs more than {features.mels}")
        return (features.mels - self.kernel_mels) // self.stride_mels + 1

    def whole_steps(self, frames: int) -> int:
        """Return the most of so many mel frames that steps cover without a rest; 0 for no step."""
        if frames < self.kernel_frames:
            return 0
        return frames - (frames - self.kernel_frames) % self.stride_frames

    def frames_of_step(self, step: int) -> int:
        """Return the number of mel frames after which step `step` (from 0) is complete."""
        return self.kernel_frames + step * self.stride_frames
