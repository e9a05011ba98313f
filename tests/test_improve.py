"""What labelled clips are read as, which of them are refused, and which change is for the worse."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.labelled import SAID, exported
from support.recordings import manifest_corpus, tone, word, write

from wakeword_daemon import resources
from wakeword_daemon.cli import main
from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.errors import TrainingError
from wakeword_daemon.training import improve
from wakeword_daemon.training.data import synthesis
from wakeword_daemon.training.data.corpus import read_corpus
from wakeword_daemon.training.fit.blending import between, nearest
from wakeword_daemon.training.fit.network import TorchCRNN
from wakeword_daemon.training.labelled import read_labelled, takes_in
from wakeword_daemon.training.measure.comparison import Evaluation
from wakeword_daemon.training.measure.evaluation import StreamReport
from wakeword_daemon.training.measure.heard import Clips
from wakeword_daemon.training.measure.metrics import ScoredTake

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    return manifest_corpus(tmp_path_factory.mktemp("recordings"), tunes=1)


def test_clips_that_are_none_are_one_sentence(recordings, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(synthesis, "engines", list)  # none is installed
    monkeypatch.chdir(tmp_path)
    other = resources.shipped_models()["alexa"]

    def refused(labelled, *options, start=other):
        always = ("--data", recordings, "--synthetic", 0, "--from", start, "--more", labelled)
        assert main(["train", "alexa", *map(str, (*always, *options))]) == 1
        return capsys.readouterr().err.splitlines()[-1]

    told = refused(tmp_path)
    assert "holds no labelled clips; `wakeword review --export" in told
    assert "are among the recordings already" in refused(recordings)
    assert "--folds trains from chance" in refused(tmp_path, "--folds", 3)
    jarvis = resources.shipped_models()["jarvis"]
    assert "hears 'jarvis', not 'alexa'" in refused(tmp_path, start=jarvis)


def test_nobody_speaks_in_the_clips_who_judges_the_word(recordings, tmp_path):
    corpus = read_corpus(recordings)
    judge = replace(corpus.in_split("val")[0], speaker="own recordings/me")
    with pytest.raises(TrainingError, match="the labelled clips are by me, who also speaks in the"):
        read_labelled(exported(tmp_path), replace(corpus, recordings=(judge,)))


def test_the_word_is_what_a_clip_ends_with(tmp_path):
    rng = np.random.default_rng(0)
    labelled = read_corpus(exported(tmp_path))
    takes, set_aside = takes_in(labelled, "sweep", 55.0, FeatureSettings())
    assert (len(takes), set_aside) == (SAID, [])
    # What was said long before the word is not heard.
    first = next(r for r in labelled.recordings if r.word)
    write(first.path, np.concatenate([tone(1, 2, 3.0, 300), word(rng, 120)[: -SAMPLE_RATE // 3]]))
    takes, _ = takes_in(replace(labelled, recordings=(first,)), "sweep", 55.0, FeatureSettings())
    assert len(takes[0].power) <= 140


@pytest.mark.parametrize(
    ("new", "gone", "grew"),
    [(0, 0, False), (4, 0, False), (5, 0, True), (9, 4, False), (12, 3, True)],
)
def test_a_change_counts_if_chance_hardly_makes_one_as_large(new, gone, grew):
    assert improve._Change(gone, new, new, gone).grew == grew
    assert improve._Change(new, gone, gone, new).shrank == grew


@pytest.mark.parametrize(
    ("missed", "accepted", "worse"), [(2, 1, False), (1, 2, False), (3, 1, True), (2, 2, True)]
)
def test_not_even_one_clip_more_may_be_wrong(missed, accepted, worse):
    ends = 1280 * np.arange(1, 5001)
    take = ScoredTake(np.array([0, 0.9], np.float32), ends[:2], 0, 2000, "anna")
    report = StreamReport([take], {"x": [np.zeros(5000, np.float32)]}, ends, {"x": 0.1})
    same = Evaluation("word", "word", 0.5, {"clean": report})
    before, after = Clips(8, 2, 8, 1), Clips(8, missed, 8, accepted)
    found = improve.Comparison(same, same, before, after).worse()
    told = f"it gets {missed + accepted} of the labelled clips wrong instead of 3"
    assert found == ([told] if worse else [])


def test_of_networks_that_get_as_many_clips_right_the_nearest_to_the_old_one_is_taken():
    torch.manual_seed(0)
    old, new = TorchCRNN(), TorchCRNN()
    half = between(old, new, 0.5)
    for name, value in half.state_dict().items():
        mean = (old.state_dict()[name] + new.state_dict()[name]) / 2
        torch.testing.assert_close(value, mean)

    def chosen(*mistakes):
        asked = iter(mistakes)
        network, share = nearest(old, new, lambda _: next(asked))
        torch.testing.assert_close(network.state_dict(), between(old, new, share).state_dict())
        return share

    assert chosen(4, 1, 2, 1) == 0.5
    assert chosen(4, 3, 2, 1) == 1
    assert chosen(0) == 0.25  # the others are not asked
