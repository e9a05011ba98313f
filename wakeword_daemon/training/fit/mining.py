"""Mining hard negatives: the other speech that a half-trained network takes for the word."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from wakeword_daemon.training.data.melpower import Frames, Library
from wakeword_daemon.training.data.progress import track
from wakeword_daemon.training.fit.augment import FULL_SCALE
from wakeword_daemon.training.fit.composition import HardNegatives
from wakeword_daemon.training.fit.network import TorchCRNN
from wakeword_daemon.training.fit.sequences import SequenceMaker

MOST = 600
"""Places to keep."""
LEVEL_DB = -30.0
APART = 20
"""Steps between two places: 1.6 s."""
LEAST_SCORE = 0.02
"""What scores less is no mistake to learn from."""
STREAMS = 64
"""Streams that are scored at once."""
LEAD = 25
"""Steps that a stream is heard before it counts: 2 s, so that every cut has a past."""
COUNTED = 225
"""Steps of a stream that count: 18 s."""


def find_hard_negatives(network: TorchCRNN, maker: SequenceMaker) -> HardNegatives:
    """Hear all other speech that a maker draws from and return where the scores were highest."""
    found: list[tuple[float, int, int]] = []
    for index, kind in enumerate(maker.composition.negatives):
        found += [(score, index, start) for score, start in _peaks(network, kind.library)]
    found.sort(reverse=True)
    # In the order of the recordings: where two scores are all but equal, rounding would decide.
    kept = sorted((index, start) for _, index, start in found[:MOST])
    places = np.array(kept, np.int64).reshape(-1, 2)
    return HardNegatives(places[:, 0], places[:, 1])


def _peaks(network: TorchCRNN, library: Library) -> list[tuple[float, int]]:
    """Return score and first frame of the places in a library that a network takes for the word."""
    if len(library.power) < 2 * HardNegatives.FRAMES:
        return []
    scores = _scores(network, library.power)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(scores, APART), 2 * APART + 1)
    steps = np.flatnonzero((scores >= LEAST_SCORE) & (scores == around.max(axis=1)))
    last = len(library.power) - HardNegatives.FRAMES
    ends = [network.architecture.frames_of_step(step) + 10 for step in steps.tolist()]
    starts = [min(max(0, end - HardNegatives.FRAMES), last) for end in ends]
    return list(zip(scores[steps].tolist(), starts, strict=True))


@torch.inference_mode()
def _scores(network: TorchCRNN, power: Frames) -> npt.NDArray[np.float32]:
    """Return the word's probability at every step of one long recording, [steps]."""
    f, a = network.features, network.architecture
    device = network.mean.device
    stride, overlap = a.stride_frames, a.kernel_frames - a.stride_frames
    steps = (len(power) - a.kernel_frames) // stride + 1
    streams = -(-steps // COUNTED)
    counted, lead = COUNTED * stride, LEAD * stride
    behind = streams * counted + overlap - len(power)
    quiet = np.pad(power, ((lead, max(0, behind)), (0, 0)))
    gain = FULL_SCALE * 10 ** (LEVEL_DB / 10)
    scores: list[npt.NDArray[np.float32]] = []
    firsts = range(0, streams, STREAMS)
    for first in track(firsts, len(firsts), "hard negatives", "batch"):
        starts = range(first * counted, min(first + STREAMS, streams) * counted, counted)
        cut = np.stack([quiet[start : start + lead + counted + overlap] for start in starts])
        heard = torch.from_numpy(cut).to(device) * gain + 1e-7
        logits = network.stream(heard.clamp(f.floor, f.ceiling).log())
        scores.append(logits.softmax(-1)[:, LEAD:, 1].flatten().cpu().numpy())
    return np.concatenate(scores)[:steps]
