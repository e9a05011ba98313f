"""Variants of takes by other speakers and microphones, so that few voices become many.

They are made from samples, because mel power has no pitch and cannot be clipped or coded.
"""

from __future__ import annotations

import itertools
import logging
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torchaudio import functional

from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.errors import TrainingError
from wakeword_daemon.pcm import Pcm
from wakeword_daemon.training.data.cache import Arrays, cached, digest_of_files
from wakeword_daemon.training.data.endpoints import Span, speech_span
from wakeword_daemon.training.data.melpower import Frames, Library, MelPower
from wakeword_daemon.training.data.progress import track
from wakeword_daemon.training.data.takes import Take, UsableTake
from wakeword_daemon.training.data.voice_change import (
    FORMANTS,
    LENGTHS,
    PITCHES,
    VoiceChange,
    change_voice,
    drawn_changes,
)

logger = logging.getLogger(__name__)

CLIPPED_SHARE = 0.2
CLIPPING_DB = (5.0, 18.0)
"""By how many decibels the loudest samples exceed full scale."""
CODED_SHARE = 0.15
SECONDS = 0.03
"""What one variant costs, for plans."""


def variants(
    takes: Sequence[UsableTake], each: int, features: FeatureSettings, cache: Path, seed: int
) -> list[Take]:
    """Return `each` variants of every take; those in which the word is not found are left out.

    All differ in pitch, vocal tract or pace. Some are clipped, or coded as by a telephone. They are
    computed once and kept in `cache`.
    """
    spans = [(take.span.start, take.span.stop) for take in takes]
    if not takes:
        return []
    drawn = (CLIPPED_SHARE, CLIPPING_DB, CODED_SHARE, PITCHES, FORMANTS, LENGTHS)
    settings = repr((features, each, seed, drawn, spans))
    key = digest_of_files([take.recording.path for take in takes], settings)
    arrays = cached(cache, "variants", key, lambda: _compute(takes, each, features, seed))
    library = Library(arrays["power"], arrays["bounds"])
    return [
        Take(takes[number].recording, library[i], Span(int(start), int(stop)))
        for i, (number, start, stop) in enumerate(arrays["places"])
    ]


def _compute(
    takes: Sequence[UsableTake], each: int, features: FeatureSettings, seed: int
) -> Arrays:
    """Return the mel power of all variants, and of each the number of its take and its span."""
    rng = random.Random(f"{seed} variants")  # noqa: S311 - a seed, not a secret
    changes = drawn_changes(rng)
    front_end = MelPower(features)
    pieces: list[Frames] = []
    places: list[tuple[int, int, int]] = []
    shown = track(takes, len(takes), "changing voices", "take", each * SECONDS)
    for number, take in enumerate(shown):
        for change, pcm in _changed(take.pcm, each, changes, rng):
            power = front_end(pcm)
            span = speech_span(power, round(1.25 * change.length * len(take.span)))
            if span is not None:
                pieces.append(power)
                places.append((number, span.start, span.stop))
    library = Library.join(pieces, features.mels)
    return {
        "power": library.power,
        "bounds": library.bounds,
        "places": np.array(places, np.int64).reshape(-1, 3),
    }


def _changed(
    pcm: Pcm, each: int, changes: Iterator[VoiceChange], rng: random.Random
) -> Iterator[tuple[VoiceChange, Pcm]]:
    for change in itertools.islice(changes, each):
        try:
            other = change_voice(pcm, change)
        except TrainingError as error:  # too short a take
            logger.debug("%s", error)
            continue
        if rng.random() < CLIPPED_SHARE:
            other = clip(other, rng.uniform(*CLIPPING_DB))
        if rng.random() < CODED_SHARE:
            other = telephone(other)
        yield change, other


def clip(pcm: Pcm, decibels: float) -> Pcm:
    """Return samples as recorded by a microphone whose gain is `decibels` too high."""
    peak = max(1, int(np.abs(pcm.astype(np.int32)).max(initial=0)))
    gain = 10 ** (decibels / 20)
    clipped: Pcm = (np.clip(pcm / peak * gain, -1, 1) * peak).astype(np.int16)
    return clipped


def telephone(pcm: Pcm) -> Pcm:
    """Return samples as a telephone or a Bluetooth headset sends them: 300 to 3,400 Hz, mu-law."""
    wave = torch.from_numpy(pcm.astype(np.float32) / 32_768)
    wave = functional.highpass_biquad(wave, SAMPLE_RATE, 300)
    wave = functional.lowpass_biquad(
        functional.lowpass_biquad(wave, SAMPLE_RATE, 3400), SAMPLE_RATE, 3400
    )
    coded = functional.mu_law_decoding(functional.mu_law_encoding(wave, 256), 256)
    heard: Pcm = (coded.numpy() * 32_767).clip(-32_768, 32_767).astype(np.int16)
    return heard
