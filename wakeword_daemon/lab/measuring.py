"""Measures one network: its size, its work, and its accuracy on clips and on streams."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from wakeword_daemon.clock import HOP, SAMPLE_RATE
from wakeword_daemon.engine import Detector
from wakeword_daemon.engine.modelfile import Model
from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.errors import TrainingError
from wakeword_daemon.lab.answers import log_odds_of
from wakeword_daemon.lab.chain import check_chain
from wakeword_daemon.lab.clips import Clips
from wakeword_daemon.lab.macs import macs, parameters
from wakeword_daemon.lab.models import clip_network
from wakeword_daemon.lab.split import Split
from wakeword_daemon.training.data.corpus import Corpus
from wakeword_daemon.training.data.endpoints import speech_span
from wakeword_daemon.training.data.melpower import MelPower
from wakeword_daemon.training.data.reading import readable
from wakeword_daemon.training.fit.network import TorchCRNN
from wakeword_daemon.training.measure.evaluation import (
    FeatureStreams,
    OtherSpeech,
    SpeechSet,
    build_streams,
    measure,
)
from wakeword_daemon.training.measure.metrics import TARGETS, clip_metric
from wakeword_daemon.training.measure.scenes import SpokenTake

FALSE_ACCEPTS = 1e-3
"""Share of the clips without the word that are accepted at the operating threshold."""
LOWEST_THRESHOLD = 1e-6
TIMED_SECONDS = 20
TIMED_REPEATS = 5


@dataclass(frozen=True)
class EvaluationSet:
    """The data that all networks are measured on.

    Attributes:
        mel: validation clips, [clips, F, mels].
        is_word: whether each is the word, [clips].
        streams: the validation recordings as streams; None if there is less than a minute.

    """

    mel: npt.NDArray[np.float32]
    is_word: npt.NDArray[np.bool_]
    streams: FeatureStreams | None

    @classmethod
    def from_split(cls, corpus: Corpus, split: Split, clips: Clips, word: str) -> EvaluationSet:
        """Return the evaluation set of a split's validation recordings."""
        return cls(*clips.validation(), _streams(corpus, split, word, clips.features))

    def clip_metric(self, classify: Callable[[Tensor], Tensor]) -> float:
        """Return the area under the curve of false rejects over false accepts."""
        return clip_metric(log_odds_of(classify, self.mel).numpy(), self.is_word)

    def threshold(self, network: TorchCRNN) -> float:
        """Return the probability that one in a thousand of the clips without the word reaches.

        It is halfway to the next higher score of any clip, so rounding does not matter.
        """
        scores = log_odds_of(network, self.mel).numpy()
        others = np.sort(scores[~self.is_word])[::-1]
        highest = others[min(len(others) - 1, int(FALSE_ACCEPTS * len(others)))]
        above = scores[scores > highest].min(initial=highest + 1)
        halfway = (float(highest) + float(above)) / 2
        return min(max(1 / (1 + math.exp(-halfway)), LOWEST_THRESHOLD), 1 - LOWEST_THRESHOLD)


def measure_model(
    evaluation_set: EvaluationSet,
    path: Path,
    model: Model,
    *,
    unrounded: TorchCRNN | None = None,
    dynamic: Callable[[Tensor], Tensor] | None = None,
) -> dict[str, Any]:
    """Return all figures of a model file for the table, as plain data.

    The clip metric is that of the weights in the file. If `dynamic` is given, it is that network's,
    and the file's is `clip_metric_file`.

    Args:
        evaluation_set: what to measure on.
        path: the model file.
        model: the model as read from it.
        unrounded: the network before it was quantized.
        dynamic: the network that torch quantized dynamically.

    Raises:
        TrainingError: the streaming network or the engine differs from the offline network.
    """
    card = model.card
    figures: dict[str, Any] = {
        "parameters": parameters(card.architecture, card.features),
        "file_bytes": path.stat().st_size,
        "macs": macs(card.architecture, card.features),
        "cpu_ms": cpu_time(model) * 1e3,
        "clip_metric": evaluation_set.clip_metric(dynamic or clip_network(model)),
        "clips": len(evaluation_set.mel),
        "clips_of_word": int(evaluation_set.is_word.sum()),
        "threshold": model.threshold,
    }
    if dynamic is not None:
        figures["clip_metric_file"] = evaluation_set.clip_metric(clip_network(model))
    links = check_chain(model, evaluation_set.mel, unrounded=unrounded, dynamic=dynamic)
    figures["chain"] = [asdict(link) for link in links]
    broken = [link.name for link in links if not link.holds]
    if broken:
        raise TrainingError(f"{path}: {', '.join(broken)} differs from the offline network")
    if evaluation_set.streams is not None:
        report = measure(model.network(), evaluation_set.streams)
        figures["stream"] = {
            "takes": len(report.takes),
            "hours": report.hours,
            "miss_rate": {f"{t:g}": report.at(t).miss_rate for t in TARGETS},
        }
    return figures


def cpu_time(model: Model) -> float:
    """Return the CPU time of front end and engine, in seconds per second of audio."""
    rng = np.random.default_rng(0)
    hops = rng.normal(0, 1000, (TIMED_SECONDS * SAMPLE_RATE // HOP, HOP)).astype(np.int16)
    detector = Detector([model])
    costs = []
    for _ in range(TIMED_REPEATS):
        before = time.process_time()
        for hop in hops:
            detector.push(hop)
        costs.append((time.process_time() - before) / TIMED_SECONDS)
    return min(costs)


def _streams(
    corpus: Corpus, split: Split, word: str, features: FeatureSettings
) -> FeatureStreams | None:
    """Return the validation recordings as streams; None if there is less than a minute."""
    takes: list[SpokenTake] = []
    others: list[OtherSpeech] = []
    front_end = MelPower(features)
    both = zip(split.arrange(corpus), split.is_trained(), strict=True)
    recordings = [recording for recording, trained in both if not trained]
    unreadable: list[str] = []  # already logged when the clips were cut
    for number, pcm in readable([r.path for r in recordings], unreadable):
        recording = recordings[number]
        if recording.word != word:
            others.append(OtherSpeech(pcm, recording.source, sentence=not recording.word))
            continue
        span = speech_span(front_end(pcm))
        if span is not None:
            bounds = span.start * features.hop, span.stop * features.hop
            takes.append(SpokenTake(pcm, *bounds, recording.speaker))
    if not takes or sum(len(one.pcm) for one in others) < 60 * SAMPLE_RATE:
        return None
    return build_streams(SpeechSet(takes, others), features)
