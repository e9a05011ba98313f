"""A card and a report on folds have the results under every condition."""

import json
from dataclasses import replace

import numpy as np
import pytest

from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.engine.modelfile import Origin
from wakeword_daemon.training import word
from wakeword_daemon.training.calibration import DEFAULT_THRESHOLD, calibrate, calibration_speech
from wakeword_daemon.training.data import strangers
from wakeword_daemon.training.fit.network import TorchCRNN
from wakeword_daemon.training.measure.conditions import CONDITIONS
from wakeword_daemon.training.measure.evaluation import OtherSpeech, SpeechSet, StreamReport
from wakeword_daemon.training.measure.metrics import ScoredTake
from wakeword_daemon.training.measure.pictures import draw
from wakeword_daemon.training.measure.report import Measured, Results, write_card, write_folds
from wakeword_daemon.training.measure.scenes import SpokenTake
from wakeword_daemon.training.measure.validation import Validation
from wakeword_daemon.training.measure.verdict import judge

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
    calibrate(network, lambda: calibration_speech(speech.dev, network.features, None))
    return Results(
        phrase="word", parameters=1, real_takes=4,
        synthetic_takes=0, natural_takes=0, speakers=2, left_out=(), set_aside=[],
        sources=[("tones", "CC0-1.0")], origin=Origin("0123abcd", "4567", "wakeword train word"),
        threshold=DEFAULT_THRESHOLD, target=word.DEFAULT_TARGET,
        measured=word._measure(network, speech, None),
    )  # fmt: skip


def test_the_card_says_if_people_say_only_the_end_of_a_phrase(results):
    card = write_card(replace(results, begun="hey"), "word.svg")
    assert "In the recordings people say all but “hey”; Kokoro says it in their takes.\nIt" in card
    assert "never learned from,\nwith “hey” by voices of Kokoro that it never learned from." in card


def test_the_card_has_a_row_for_every_condition_and_source(results):
    card = write_card(results, "word.svg")
    for condition in CONDITIONS:
        assert f"| {condition.name} |" in card
    assert "| one |" in card
    assert "Made by\n\n    wakeword train word\n\n" in card
    assert "with the code of 0123abcd,\nfrom recordings whose list has the digest 4567." in card
    assert "| other |" in card
    assert "speaker0" in card
    assert "It learned the word from 4 takes by 2 speakers" in card
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


def reports(peaks, accepts=0, source="sentences"):
    """Return what a network did: the peak of each take by condition, and its false accepts."""

    def report(values):
        ends = 1280 * np.arange(1, 5_001)
        other = np.zeros(5_000, np.float32)
        other[100 : 100 + 50 * accepts : 50] = 0.9
        takes = [
            ScoredTake(np.array([0, value], np.float32), ends[:2], 0, 2000, speaker)
            for value, speaker in zip(values, SPEAKERS, strict=False)
        ]
        return StreamReport(takes, {source: [other]}, ends, {source: 5_000 * 0.08 / 3600})

    measured = {name: report(peaks.get(name, [0.9] * len(SPEAKERS))) for name in NAMES}
    return Measured(measured, measured, None, 0.0)


NAMES = ("clean", "run-on 0 ms", "run-on 100 ms", "noise 10 dB", "room")
SPEAKERS = ("left-out voices/flite slt", "left-out voices/pico en-GB", "own takes/you", "anna")


def test_a_word_that_is_heard_is_good():
    verdict = judge(reports({}), 0.5, sounds=8)
    assert str(verdict) == "good"
    lines = dict(verdict.lines)
    assert lines["alone"] == "0 of 8 missed, 0.0%"
    assert lines["strangers: flite"] == "0 of 2 missed, 0.0%"
    assert lines["people: own takes"] == "0 of 2 missed, 0.0%"
    assert lines["people: anna"] == "0 of 2 missed, 0.0%"
    assert lines["false accepts an hour"].startswith("0.00 (0 in 0.1 h")
    assert "synthetic" not in lines["false accepts an hour"]


def test_a_word_that_only_synthetic_voices_miss_may_be_used():
    missed = {"clean": [0.1, 0.9], "run-on 100 ms": [0.1, 0.9]}
    assert str(judge(reports(missed), 0.5, sounds=8)).startswith("fair: it misses 50% alone")
    told = "people may be missed more often than these voices, or less often"
    assert told in str(judge(reports(missed), 0.5, sounds=8))
    assert not judge(reports({"clean": [0.1, 0.1]}), 0.5, sounds=8).usable


def test_a_word_that_was_silent_at_synthetic_speech_alone_promises_no_more():
    lines = dict(judge(reports({}, source=strangers.SOURCE), 0.5, sounds=8).lines)
    assert "synthetic: people may set it off far more often" in lines["false accepts an hour"]


@pytest.mark.parametrize(
    ("peaks", "accepts", "sounds", "told"),
    [
        ({"room": [0.1, 0.9, 0.9, 0.9]}, 0, 8, "fair: it misses 25% in a room; add takes"),
        (
            {"noise 10 dB": [0.1, 0.9, 0.9, 0.9], "room": [0.1, 0.9, 0.9, 0.9]},
            0,
            8,
            "fair: it misses 25% in noise at 10 dB and 25% in a room; add takes",
        ),
        ({"clean": [0.1, 0.9, 0.9, 0.9]}, 0, 8, "fair: it misses 25% alone; add takes"),
        ({"clean": [0.1, 0.1, 0.9, 0.9]}, 0, 8, "do not use: it misses 50% alone; add takes"),
        ({"clean": [0.1] * 4}, 0, 4, "do not use: it misses 100% alone; choose a longer word"),
        ({}, 1, 8, "do not use: it fires 9.0 times an hour at other speech; add takes"),
    ],
)
def test_a_verdict_says_what_is_wrong_and_what_to_do(peaks, accepts, sounds, told):
    assert str(judge(reports(peaks, accepts), 0.5, sounds)).startswith(told)
