"""Clips of the test word of `recordings`, labelled and exported as a person would do it."""

import numpy as np
from support.recordings import tone, word

from wakeword_daemon.cli import main
from wakeword_daemon.clips.clip import Clip
from wakeword_daemon.clips.folder import ClipFolder
from wakeword_daemon.clock import SAMPLE_RATE

SAID, MISTAKEN = 8, 8
"""How many clips hold the word, and how many do not."""


def near(rng):
    """Return what sounds like the test word and is not it: up and down without the hiss."""
    pitch = rng.uniform(150, 350)
    said = np.concatenate([tone(1, 3, 0.2, pitch), tone(3, 1, 0.2, pitch)])
    return np.concatenate([np.zeros(SAMPLE_RATE), said, np.zeros(SAMPLE_RATE)]) * 0.4


def exported(folder, *, pitch=(90, 140)):
    """Label clips and export them; return where they are.

    The word is said at a pitch between two, in Hz.
    """
    rng = np.random.default_rng(7)
    clips = ClipFolder(folder / "clips")
    for number in range(SAID + MISTAKEN):
        said = number < SAID
        wave = word(rng, rng.uniform(*pitch)) if said else near(rng)
        wave = wave + rng.normal(0, 2e-4, len(wave))
        seconds = len(wave) / SAMPLE_RATE
        clip = Clip(
            word="sweep", kind=("detection", "near-miss")[number % 2], score=0.5, threshold=0.5,
            model="m", wall_time=1.8e9 + number, at=seconds - 0.3, seconds=seconds,
        )  # fmt: skip
        clips.add(clip, (wave * 32_000).astype(np.int16))
        labels = ("right", "missed") if said else ("wrong", "right")
        clips.label(clip.name, labels[number % 2])
    target = folder / "labelled"
    assert main(["review", "--folder", str(clips.path), "--export", str(target)]) == 0
    return target
