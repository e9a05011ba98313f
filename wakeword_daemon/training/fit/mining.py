"""Mining hard negatives: the other speech that a half-trained network takes for the word."""

from __future__ import annotations

import numpy as np

from wakeword_daemon.engine.crnn import CRNN
from wakeword_daemon.training.data.melpower import Library
from wakeword_daemon.training.fit.composition import HardNegatives
from wakeword_daemon.training.fit.sequences import FULL_SCALE, SequenceMaker
from wakeword_daemon.training.measure.evaluation import score

STREAMS = 32
"""Streams that a library is cut into, to score it faster than as one."""
MOST = 600
"""Places to keep."""
LEVEL_DB = -30.0
APART = 20
"""Steps between two places: 1.6 s."""
LEAST_SCORE = 0.02
"""What scores less is no mistake to learn from."""


def find_hard_negatives(network: CRNN, maker: SequenceMaker) -> HardNegatives:
    """Hear all other speech that a maker draws from and return where the scores were highest."""
    found: list[tuple[float, int, int]] = []
    for index, kind in enumerate(maker.composition.negatives):
        found += [(s, index, start) for s, start in _peaks(network, kind.library)]
    found.sort(reverse=True)
    # In the order of the recordings: where two scores are all but equal, rounding would decide.
    kept = sorted((index, start) for _, index, start in found[:MOST])
    places = np.array(kept, np.int64).reshape(-1, 2)
    return HardNegatives(places[:, 0], places[:, 1])


def _peaks(network: CRNN, library: Library) -> list[tuple[float, int]]:
    """Return score and first frame of the places in a library that a network scores highest."""
    f = network.features
    length = len(library.power) // STREAMS
    if length < 2 * HardNegatives.FRAMES:
        return []
    gain = np.float32(FULL_SCALE * 10 ** (LEVEL_DB / 10))
    lanes = library.power[: STREAMS * length].reshape(STREAMS, length, -1)
    frames = np.log(np.clip(lanes * gain + np.float32(1e-7), f.floor, f.ceiling))
    scores, _ = score(network, frames)
    found: list[tuple[float, int]] = []
    for lane, row in enumerate(scores):
        for step in np.argsort(-row)[: MOST // 4].tolist():
            if row[step] < LEAST_SCORE:
                break
            if row[step] == row[max(0, step - APART) : step + APART].max():
                end = network.architecture.frames_of_step(step) + 10
                start = lane * length + max(0, end - HardNegatives.FRAMES)
                found.append((float(row[step]), start))
    return found
