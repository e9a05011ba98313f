"""Where a score is not low, the same audio is heard again, and its sounds are compared."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.models import leaning_model, log_odds
from support.recordings import cut, noise

from wakeword_daemon.clock import HOP
from wakeword_daemon.engine import Detector
from wakeword_daemon.engine.closerlook import LOW, SHARE, STEPS, CloserLook
from wakeword_daemon.engine.logmel import LogMel
from wakeword_daemon.engine.streams import new_stream
from wakeword_daemon.training.measure.evaluation import score

FIRST = 3440
"""Samples of the first step."""


def once(models, pcm):
    """Return the scores of each step as the stream gives them, [steps, words]."""
    stream = new_stream([model.network() for model in models])
    return np.array([scores for _, _, scores in stream.hear(pcm)])


def detected(detector, pcm):
    return np.array([list(step.scores.values()) for step in detector.scores(pcm)])


@pytest.mark.parametrize("odds", [-1.0, 0.0, 3.0])
def test_a_score_that_is_not_low_is_that_of_both_looks(odds):
    model, pcm = leaning_model(odds=odds), noise(4)
    first = once([model], pcm)[:, 0]
    both = detected(Detector([model]), pcm)[:, 0]
    assert min(first) > 2 * LOW
    assert both[0] == first[0]  # half a stride earlier there was no step yet
    for step in range(1, len(first)):
        stop = FIRST + step * HOP - HOP // 2
        start = max(stop - FIRST - (STEPS - 1) * HOP, HOP // 2)
        second = once([model], pcm[start:stop])[-1, 0]
        mean = (1 - SHARE) * log_odds(first[step]) + SHARE * log_odds(second)
        assert log_odds(both[step]) == pytest.approx(mean, abs=1e-3)
    assert np.abs(both - first).max() > 1e-4


def test_low_scores_stay_as_they_are():
    loud, faint = leaning_model("loud", odds=1.0), leaning_model("faint", odds=-8.0, seed=1)
    pcm = noise(2)
    first = once([loud, faint], pcm)
    both = detected(Detector([loud, faint]), pcm)
    assert max(first[:, 1]) < LOW
    np.testing.assert_array_equal(both[:, 1], first[:, 1])
    assert all(both[1:, 0] != first[1:, 0])


class Surely:
    """A stream that is nearly sure of the word."""

    def fresh(self):
        return self

    def reset(self):
        pass

    def hear_frames(self, frames):
        return [(len(frames) - 1, 0, [0.9])]


def test_the_score_has_no_step_where_closer_looks_begin():
    # Steps of the same stream hang on the network's rounding, which C and numpy do differently.
    scores = np.linspace(0.5 * LOW, 3 * LOW, 2000)
    looked = [[(27, 0, [score])] for score in scores.tolist()]
    closer = CloserLook([leaning_model(odds=0.0).network()], Surely())
    for made in looked:
        closer.revise_frames(np.zeros((28, 40), np.float32), made)
    after = [score for ((_, _, (score,)),) in looked]
    assert max(np.diff(after)) < 0.02
    assert after[-1] > 0.3


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 60_000), min_size=1, max_size=8))
def test_the_split_of_the_audio_does_not_matter(sizes):
    model, pcm = leaning_model(odds=0.0), noise(4)
    detector = Detector([model])
    parts = [step.scores["test"] for piece in cut(pcm, sizes) for step in detector.scores(piece)]
    np.testing.assert_allclose(parts, detected(Detector([model]), pcm)[:, 0], atol=1e-6)


def test_nothing_is_heard_again_that_was_before_a_reset_or_in_another_stream():
    model, pcm = leaning_model(odds=0.0), noise(2, seed=1)
    alone = detected(Detector([model]), pcm)
    detector = Detector([model])
    detector.push(noise(3))
    other = detector.fresh()
    np.testing.assert_array_equal(detected(other, pcm), alone)
    detector.reset()
    np.testing.assert_array_equal(detected(detector, pcm), alone)


def test_models_are_measured_with_closer_looks():
    model, pcm = leaning_model(odds=0.0), noise(4)
    frames = LogMel(model.card.features).frames(pcm)
    measured, ends = score(model.network(), frames[None])
    steps = Detector([model]).scores(pcm)
    assert ends.tolist() == [step.sample for step in steps]
    np.testing.assert_allclose(measured[0], [s.scores["test"] for s in steps], atol=1e-5)
