"""A card and a report on folds have the results under every condition."""

import json

import numpy as np
import pytest

from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.training import word
from wakeword_daemon.training.fit.network import TorchCRNN
from wakeword_daemon.training.measure.conditions import CONDITIONS
from wakeword_daemon.training.measure.evaluation import OtherSpeech, SpeechSet
from wakeword_daemon.training.measure.pictures import draw
from wakeword_daemon.training.measure.report import Results, write_card, write_folds
from wakeword_daemon.training.measure.scenes import SpokenTake
from wakeword_daemon.training.measure.validation import Validation

pytestmark = pytest.mark.torch


def half(seed):
    rng = np.random.default_rng(seed)

    def burst(seconds):
        return rng.normal(0, 3000, round(seconds * SAMPLE_RATE)).astype(np.int16)

    takes = [SpokenTake(burst(1.0), 0, SAMPLE_RATE, f"speaker{seed}") for _ in range(2)]
    others = [OtherSpeech(burst(5.0), source) for source in ("one", "other") for _ in range(4)]
    return SpeechSet(takes, others, [burst(2.0)], seed=seed)


@pytest.fixture(scope="module")
def results():
    network = TorchCRNN()
    speech = Validation(half(0), half(1))
    word._calibrate(network, speech.dev, None)
    return Results(
        phrase="word", command="wakeword train word", parameters=1, real_takes=4,
        synthetic_takes=0, natural_takes=0, speakers=2, left_out=(), set_aside=[],
        sources=[("tones", "CC0-1.0")],
        threshold=word.DEFAULT_THRESHOLD, target=word.DEFAULT_TARGET,
        measured=word._measure(network, speech, None),
    )  # fmt: skip


def test_the_card_has_a_row_for_every_condition_and_source(results):
    card = write_card(results, "word.svg")
    for condition in CONDITIONS:
        assert f"| {condition.name} |" in card
    assert "| one |" in card
    assert "| other |" in card
    assert "speaker0" in card
    assert b"<svg" in draw(results)


def test_the_calibrated_network_stays_below_its_threshold_on_the_dev_set(results):
    assert all(report.accepts(0.5) == 0 for report in results.measured.dev.values())


def test_the_report_on_folds_has_every_condition(results):
    report = write_folds([results, results], "wakeword train word --folds 2")
    for condition in CONDITIONS:
        assert f"| {condition.name} |" in report
    assert "8 takes" in report.replace("\n", " ")


def test_the_figures_are_plain_json(results):
    figures = json.loads(json.dumps(results.figures(), allow_nan=False))
    assert set(figures["test"]) == {condition.name for condition in CONDITIONS}
