"""Choosing the default threshold of a trained network."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

from wakeword_daemon.engine.modelfile import DEFAULT_TARGET
from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.training.data.progress import track
from wakeword_daemon.training.fit.export import engine_from_torch, round_matrices, shift_log_odds
from wakeword_daemon.training.fit.network import TorchCRNN
from wakeword_daemon.training.measure.conditions import CONDITIONS
from wakeword_daemon.training.measure.evaluation import FeatureStreams, SpeechSet, measure
from wakeword_daemon.training.measure.thresholds import default_threshold, in_draws
from wakeword_daemon.training.measure.validation import only_synthetic

DEFAULT_THRESHOLD = 0.5
TRIED_SHIFT = 3.0
"""Log-odds by which a network is shifted up before its threshold is sought, once or more often."""
CALIBRATION_SLACK = 1e-3
"""Log-odds by which a network is shifted down more than necessary. The threshold is the next number
after the score of a false accept, and rounding could lift that score to the threshold."""
PEOPLE_SLACK = 0.7
"""Log-odds by which it is shifted down further if all other speech is synthetic, because people set
a word off more often. In six hours of people's speech, “alexa” and “jarvis” from the phrase alone
had 19 and 32 false accepts without it, and 5 and 12 with it."""


def calibration_speech(
    dev: SpeechSet, features: FeatureSettings, hours: FeatureStreams | None
) -> Iterator[Iterable[FeatureStreams]]:
    """Yield the other speech that decides about the threshold: of each condition, every draw.

    It is rendered when it is asked for. All of it takes 0.7 GB with the project's own recordings.
    """
    counted = [c for c in CONDITIONS if c.counts_false_accepts]
    for condition in track(counted, len(counted), "calibrating", "condition"):
        yield in_draws(dev, features, condition)
    if hours is not None:
        yield [hours]


def calibrate(network: TorchCRNN, speech: Callable[[], Iterable[Iterable[FeatureStreams]]]) -> None:
    """Round the network as it ships, and shift its log-odds: the default threshold becomes 0.5.

    Networks of different words and runs use different scales; users should not have to learn each
    one's.

    Args:
        network: is changed in place.
        speech: returns what `calibration_speech` yields.

    """
    round_matrices(network)
    above = -math.inf
    while above < 0:  # a closer look is had at scores that are not low, in the scale that results
        shift_log_odds(network, TRIED_SHIFT)
        engine = engine_from_torch(network)
        heard = [[measure(engine, streams) for streams in draws] for draws in speech()]
        threshold = default_threshold(heard, DEFAULT_TARGET)
        above = math.log(threshold / (1 - threshold)) + CALIBRATION_SLACK
    if all(only_synthetic(draws[0]) for draws in heard):
        above += PEOPLE_SLACK
    shift_log_odds(network, -above)
