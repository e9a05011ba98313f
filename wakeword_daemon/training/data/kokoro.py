"""Kokoro-82M: natural English voices, and mixtures of them, on the CPU.

The int8 ONNX export of the network (Apache-2.0) is used. It is not part of this package: `make
voices` fetches it and its voices. The network takes phonemes in its own notation of IPA, into which
espeak-ng's output is converted here. It also returns how long each phoneme lasts, so it is known to
25 ms where a word begins and ends in a sentence.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wakeword_daemon import xdg
from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.errors import TrainingError, lacks
from wakeword_daemon.pcm import Pcm

MODEL = "model_quantized.onnx"
VOCABULARY = "vocab.json"
VOICES = "voices"
"""What the folder holds: the network, the number of each phoneme, and one file for each voice."""

ACCENTS = ("en-us", "en-gb", "en-gb-x-rp")
"""Accents of espeak-ng whose sounds Kokoro's notation has."""

_RATE = 24_000
_FRAME = 600
"""The unit of the network's durations, in samples at its own rate: 25 ms."""
_DURATIONS = "/encoder/Clip_output_0"
"""The export's own name for the durations, in those units, [1, phonemes + 2]."""
_LEAD = 0.055
"""Seconds by which a sound begins earlier than the durations say. Measured by the treble of the
fricatives in ten sentences by ten voices: 0.045 to 0.08 s, at all speeds."""
_STYLE = (510, 256)
"""A voice: a style for each length of text. Its first 128 numbers are timbre, the rest prosody."""
_TIMBRE = 128
_STEP = SAMPLE_RATE // 100
_QUIET_DB = 34.0

# Kokoro's notation has one letter for each diphthong and affricate, and no sign for a length in
# American English. The facts are those of its own phonemizer, misaki (misaki/espeak.py); the sign
# that ties two letters together is espeak-ng's option --tie=^.
# ruff: noqa: RUF001 - IPA has letters that look like others
_BOTH = {
    "ʔˌn̩": "tᵊn", "ʔn̩": "tᵊn", "n̩": "ᵊn", "l̩": "ᵊl", "m̩": "ᵊm", "ə^l": "ᵊl",
    "a^ɪ": "I", "a^ʊ": "W", "e^ɪ": "A", "ɔ^ɪ": "Y", "d^ʒ": "ʤ", "t^ʃ": "ʧ",
    "ɚ": "əɹ", "ɐ": "ə", "ʔ": "t", "r": "ɹ", "x": "k", "ç": "k", "ɬ": "l", "ʲ": "",
}  # fmt: skip
_BRITISH = {"e^ə": "ɛː", "i^ə": "ɪə", "ə^ʊ": "Q"} | _BOTH
_AMERICAN = {"o^ʊ": "O", "ɜː": "ɜɹ", "ɪ^ə": "iə"} | _BOTH | {"ː": ""}
MARKS = (",", ".", "!", "?", ";", ":")
_MARKS = re.compile(r"([,.!?;:]+)")
_STRESS = "ˈˌ"


@dataclass(frozen=True, slots=True)
class Said:
    """One utterance.

    Attributes:
        pcm: int16[n] at 16 kHz.
        bounds: where each phoneme begins, in seconds, and where the last one ends.

    """

    pcm: Pcm
    bounds: list[float]


def folder() -> Path:
    """Return where `make voices` puts the network: in the user's cache."""
    return xdg.cache_home() / "wakeword" / "kokoro"


def names(where: Path | None = None) -> list[str]:
    """Return the names of the voices, sorted: language, f or m, and a name, as af_heart."""
    return sorted(path.stem for path in ((where or folder()) / VOICES).glob("*.bin"))


def lacking(where: Path | None = None) -> str:
    """Return what is missing before Kokoro can speak, as a sentence; "" if nothing is."""
    if importlib.util.find_spec("onnxruntime") is None:
        return lacks("Kokoro", "onnxruntime", "voices")
    if shutil.which("espeak-ng") is None:
        return "espeak-ng is not installed (sudo apt install espeak-ng)"
    missing = [n for n in (MODEL, VOCABULARY, VOICES) if not ((where or folder()) / n).exists()]
    if missing:
        return f"{where or folder()} lacks {', '.join(missing)} (make voices fetches it)"
    return ""


def phonemes(text: str, accent: str) -> str:
    """Return an English text in Kokoro's notation, with its punctuation.

    Args:
        text: words and the marks , . ! ? ; :
        accent: one of `ACCENTS`.

    """
    written = ""
    for part in _MARKS.split(text):
        if _MARKS.fullmatch(part):
            written += part[0]
        elif part.strip():
            written += f" {_sounds(part.strip(), accent)}"
    return written.strip()


def trimmed(pcm: Pcm, start: float, stop: float) -> tuple[float, float]:
    """Return a span, first and last second, without the quiet at its end.

    By the durations, the last sound before a pause lasts into the pause. Quiet is any 10 ms more
    than 34 dB below the loudest, after the treble is raised so that a faint /s/ counts.
    """
    raised = np.diff(pcm[round(start * SAMPLE_RATE) : round(stop * SAMPLE_RATE)].astype(np.float32))
    steps = raised[: len(raised) // _STEP * _STEP].reshape(-1, _STEP)
    level = np.sqrt((steps**2).mean(axis=1))
    loud = np.flatnonzero(level > level.max(initial=0) * 10 ** (-_QUIET_DB / 20))
    return start, start + (int(loud[-1]) + 1) * _STEP / SAMPLE_RATE if len(loud) else stop


def span(inner: str, outer: str) -> tuple[int, int] | None:
    """Return where `outer` contains the phonemes `inner` as whole words: [start, stop), or None.

    Stress is not compared, because it changes with the sentence.
    """
    places = [i for i, sound in enumerate(outer) if sound not in _STRESS]
    plain = "".join(outer[i] for i in places)
    wanted = re.escape("".join(sound for sound in inner if sound not in _STRESS))
    found = re.search(rf"(?<![^\s,.!?;:]){wanted}(?![^\s,.!?;:])", plain)
    if found is None:
        return None
    return places[found.start()], places[found.end() - 1] + 1


class Kokoro:
    """The network and its voices; runs on one core.

    Args:
        where: the folder that `make voices` filled.

    Raises:
        TrainingError: something is missing; the message says what, and how to get it.

    """

    def __init__(self, where: Path) -> None:
        missing = lacking(where)
        if missing:
            raise TrainingError(f"Kokoro cannot speak: {missing}.")
        import onnxruntime  # noqa: PLC0415 -- only these voices need it

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._network = onnxruntime.InferenceSession(
                _with_output((where / MODEL).read_bytes(), _DURATIONS),
                options,
                providers=["CPUExecutionProvider"],
            )
        except Exception as error:  # onnxruntime's own errors have no common type
            raise TrainingError(
                f"{where / MODEL} cannot be loaded; fetch it again with make voices: {error}"
            ) from error
        self._numbers: dict[str, int] = json.loads((where / VOCABULARY).read_text())["vocab"]
        self._voices = {
            name: np.fromfile(where / VOICES / f"{name}.bin", np.float32).reshape(_STYLE)
            for name in names(where)
        }

    def say(self, sounds: str, voice: str, speed: float) -> Said:
        """Say phonemes.

        Args:
            sounds: in Kokoro's notation; characters that it does not have are left out.
            voice: a voice's name, or a mixture as `Mixture` writes it.
            speed: relative to the voice's usual speed.

        Raises:
            TrainingError: the voice is unknown, or the text empty or too long.

        """
        known = [sound in self._numbers for sound in sounds]
        tokens = [self._numbers[s] for s, is_known in zip(sounds, known, strict=True) if is_known]
        if not 0 < len(tokens) < _STYLE[0]:
            raise TrainingError(f"Kokoro says 1 to 509 phonemes at once, not {len(tokens)}")
        import soxr  # noqa: PLC0415 -- with onnxruntime

        audio, durations = self._network.run(
            None,
            {
                "tokens": np.array([[0, *tokens, 0]]),
                "style": self._style(Mixture.parse(voice), len(tokens) - 1),
                "speed": np.array([speed], np.float32),
            },
        )
        resampled = soxr.resample(audio.ravel(), _RATE, SAMPLE_RATE)
        pcm = np.clip(np.rint(resampled * 32_767), -32_768, 32_767)
        ends = np.cumsum(durations.ravel()) * _FRAME / _RATE
        bounds = ends[np.cumsum([0, *known])] - _LEAD  # the first phoneme is the silence before
        return Said(pcm.astype(np.int16), np.maximum(bounds, 0).tolist())

    def _style(self, mixture: Mixture, length: int) -> npt.NDArray[np.float32]:
        try:
            first, second, prosody = (
                self._voices[name][length]
                for name in (mixture.first, mixture.second, mixture.prosody)
            )
        except KeyError as error:
            raise TrainingError(f"Kokoro has no voice {error}") from None
        mixed = mixture.share * first + (1 - mixture.share) * second
        style = np.concatenate([mixed[:_TIMBRE], prosody[_TIMBRE:]])
        return style[None].astype(np.float32)


@dataclass(frozen=True, slots=True)
class Mixture:
    """A voice that is mixed from others.

    Attributes:
        first: a voice whose timbre goes into the mixture.
        second: the other one; the same again for a voice as it is.
        share: the share of the first, 0 to 1.
        prosody: the voice that melody and timing are taken from.

    """

    first: str
    second: str
    share: float
    prosody: str

    def __str__(self) -> str:
        """Return the mixture as text that `parse` reads: af_heart+am_adam*0.40/bf_emma."""
        return f"{self.first}+{self.second}*{1 - self.share:.2f}/{self.prosody}"

    @classmethod
    def parse(cls, text: str) -> Mixture:
        """Read the text of a mixture, or the name of a single voice.

        Raises:
            TrainingError: the text is neither.

        """
        if re.fullmatch(r"\w+", text):
            return cls(text, text, 1.0, text)
        parts = re.fullmatch(r"(\w+)\+(\w+)\*([01]\.\d+)/(\w+)", text)
        if parts is None:
            raise TrainingError(f"{text!r} is not a voice of Kokoro's")
        return cls(parts[1], parts[2], 1 - float(parts[3]), parts[4])


def _sounds(words: str, accent: str) -> str:
    run = subprocess.run(
        ["espeak-ng", "-q", "-v", accent, "--ipa", "--tie=^", words],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    sounds = " ".join(run.stdout.split())
    for ours, theirs in (_AMERICAN if accent == "en-us" else _BRITISH).items():
        sounds = sounds.replace(ours, theirs)
    return sounds.replace("^", "").replace("ɹɹ", "ɹ")


def _with_output(model: bytes, name: str) -> bytes:
    """Return an ONNX model that also outputs its inner value `name`.

    A repeated message is merged with the first, by protobuf's rules (Encoding, "Last One Wins"): a
    graph (field 7 of a model) of one output (field 12) with a name (field 1) adds just that.
    """
    message = name.encode()
    for field in (1, 12, 7):
        message = bytes([field << 3 | 2, len(message)]) + message
    return model + message
