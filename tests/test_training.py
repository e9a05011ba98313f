"""A word is trained from recordings to a model file that works in the engine."""

import json
import math
import random
import re
import shutil
from dataclasses import replace
from functools import partial
from itertools import islice, repeat
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.batches import batch
from support.labelled import exported
from support.measuring import few_conditions
from support.models import log_odds
from support.recordings import manifest_corpus, word

from wakeword_daemon.audio import files
from wakeword_daemon.cli import main
from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.engine import Detector, read_model
from wakeword_daemon.engine.crnn import LARGEST_ENERGY
from wakeword_daemon.engine.modelfile import NO_SELF_TEST, Model, save_model
from wakeword_daemon.engine.settings import Architecture, FeatureSettings
from wakeword_daemon.errors import ModelError, TrainingError
from wakeword_daemon.lab.models import describe
from wakeword_daemon.training.calibration import TRIED_SHIFT
from wakeword_daemon.training.data import neighbours, synthesis
from wakeword_daemon.training.data.corpus import read_corpus
from wakeword_daemon.training.data.endpoints import speech_span
from wakeword_daemon.training.data.melpower import Library, MelPower
from wakeword_daemon.training.data.mishearings import COMMON, mishearings
from wakeword_daemon.training.data.synthesis import SpeakingJob
from wakeword_daemon.training.data.takes import usable_takes
from wakeword_daemon.training.data.variants import variants
from wakeword_daemon.training.fit.export import engine_from_torch, folded_weights, torch_from_model
from wakeword_daemon.training.fit.network import TorchCRNN
from wakeword_daemon.training.fit.peers import Peers, peer_loss
from wakeword_daemon.training.fit.sequences import SequenceMaker
from wakeword_daemon.training.fit.teachers import taught
from wakeword_daemon.training.fit.trainer import Trainer, TrainingSettings
from wakeword_daemon.training.fit.word_classifier import MultiTaskCRNN, word_classification_loss
from wakeword_daemon.training.folds import cross_validate
from wakeword_daemon.training.material import Voices, gather
from wakeword_daemon.training.measure import verdict
from wakeword_daemon.training.measure.conditions import CONDITIONS
from wakeword_daemon.training.measure.evaluation import build_streams, clip_metric, measure
from wakeword_daemon.training.measure.validation import SHORTEST_SPEECH, divide_noise, halves
from wakeword_daemon.training.plan import TrainingJob
from wakeword_daemon.training.word import train_word

pytestmark = pytest.mark.torch

SETTINGS = TrainingSettings(
    epochs=4, batches=25, batch_size=32, averaging=0.9, rate=1e-2, peers=(64, 64)
)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    return manifest_corpus(tmp_path_factory.mktemp("recordings"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache") / "wakeword"


@pytest.fixture(scope="module")
def material(recordings, cache):
    corpus = read_corpus(recordings)
    return gather(
        corpus, "sweep", FeatureSettings(), cache, phrase="sweep", voices=Voices(), seed=0
    )


def job(recordings, cache, run, settings=SETTINGS):
    return TrainingJob(
        word="sweep", phrase="sweep", read_as="sweep", data=recordings, takes=None,
        output=run / "sweep.safetensors", run=run,
        cache=cache, synthetic=0, fold=None, licences={"tones": "CC0-1.0"},
        settings=settings, command="test",
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained_word(recordings, cache, tmp_path_factory):
    """What came of training a word, and the rows of its epochs."""
    rows = []
    longer = replace(SETTINGS, batches=180, batch_size=16, averaging=0.95, rate=5e-3)
    asked = job(recordings, cache, tmp_path_factory.mktemp("run"), longer)
    return train_word(asked, rows.append), rows


def test_a_trained_word_is_heard(recordings, trained_word, tmp_path, capsys):
    trained, rows = trained_word
    folder = trained.model.parent
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert rows[-1]["loss"] < rows[0]["loss"] * 0.7
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == rows

    model = read_model(folder / "sweep.safetensors")
    model.self_test()
    assert model.threshold == 0.5
    card = (folder / "sweep.md").read_text()
    made_by = model.card.origin
    assert made_by.command == "test"
    assert made_by.data == read_corpus(recordings).fingerprint()
    for part in (made_by.code, made_by.data, "    test\n"):
        assert part in card
    assert "| tones | CC0-1.0 |" in card
    assert "| run-on 0 ms |" in card
    assert "| noise 10 dB |" in card
    assert "s9" in card  # misses by speaker
    picture = (folder / "sweep.svg").read_text()
    assert "false accepts an hour" in picture
    points = model.card.operating_points
    assert all(p.target * model.card.hours >= 1 for p in points)  # what the hours can show
    assert [p.threshold for p in points] == sorted((p.threshold for p in points), reverse=True)

    tables = tmp_path / "tables.md"
    evaluate = [
        "evaluate",
        str(folder / "sweep.safetensors"),
        "--data",
        str(recordings),
        "--output",
        str(tables),
        "--json",
    ]
    capsys.readouterr()
    assert main(evaluate) == 0
    figures = json.loads(capsys.readouterr().out)  # one model, one line
    assert (figures["name"], figures["phrase"], figures["threshold"]) == ("sweep", "sweep", 0.5)
    assert set(figures["conditions"]) == {condition.name for condition in CONDITIONS}
    clean = figures["conditions"]["clean"]
    assert clean["miss_rate"] == clean["missed"] / clean["takes"]
    assert clean["false_accepts_per_hour"] == clean["false_accepts"] / clean["hours"]
    told = tables.read_text()
    assert told.count("| missed, run-on 0 ms |") == 2  # at the default, and at one rate for all
    assert "default threshold 0.5" in told

    heard = 0
    for path in sorted(recordings.glob("words/[6-9]-*.wav")):  # speakers it never learned from
        quiet = np.random.default_rng(0).normal(0, 4, SAMPLE_RATE).astype(np.int16)
        pcm = np.concatenate([quiet, files.read(path), quiet])
        heard += len(Detector([model]).push(pcm)) == 1
    assert heard >= 15  # of 20
    assert trained.results.measured.both("clean").missed(0.5) <= 5


@pytest.fixture
def improve(trained_word, recordings, cache, tmp_path, monkeypatch):
    """Return a function that improves a copy of the trained word by labelled clips.

    Few batches and few conditions: the rest takes minutes, and a minute of tunes in a room is no
    measure.
    """
    for file in trained_word[0].model.parent.glob("sweep.*"):
        shutil.copy(file, tmp_path)
    few = few_conditions()
    monkeypatch.setattr("wakeword_daemon.training.calibration.CONDITIONS", few)
    for module in ("word", "improve"):
        monkeypatch.setattr(f"wakeword_daemon.training.{module}.measurable", lambda: (few, []))
    quick = partial(TrainingSettings, batches=50, batch_size=16, averaging=0.95, mining=1)
    monkeypatch.setattr("wakeword_daemon.training.fit.trainer.TrainingSettings", quick)
    monkeypatch.setattr(synthesis, "engines", list)  # none is installed
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent))
    monkeypatch.chdir(tmp_path)

    def run(labelled, rate, *options):
        monkeypatch.setattr("wakeword_daemon.training.fit.trainer.FINE_TUNING_RATE", rate)
        always = ("--data", recordings, "--synthetic", 0, "--workers", 0, "--epochs", 2)
        return main(["train", "sweep", *map(str, (*always, "--more", labelled, *options))])

    return run


def test_a_word_that_became_worse_is_not_written(improve, tmp_path, monkeypatch, capsys):
    torch.manual_seed(0)
    wrecked = TorchCRNN()  # as after a training that went wrong

    def take_it(_before, _after, mistakes):
        mistakes(wrecked)  # calibrates it
        return wrecked, 1.0

    monkeypatch.setattr("wakeword_daemon.training.word.nearest", take_it)
    labelled = exported(tmp_path)
    there = {path: path.read_bytes() for path in tmp_path.glob("sweep.*")}
    assert improve(labelled / "manifest.csv", 5e-3, "--epochs", 1) == 1
    shown = capsys.readouterr()
    rows = [re.split(r"\s{2,}", line) for line in shown.out.splitlines()]
    told = {row[0]: row[1:] for row in rows}
    assert ["before", "after"] in told.values()
    for row in ("missed, clean", "false accepts, clean", "missed at 0.5 false accepts an hour"):
        assert len(told[row]) == 2
    sentence = shown.err.splitlines()[-1]
    assert sentence.startswith("wakeword: the new model is worse, so it is not written and sweep.s")
    assert "stays as it is: it misses " in sentence
    assert "of the labelled clips wrong instead of" in sentence
    assert {path: path.read_bytes() for path in tmp_path.glob("sweep.*")} == there


def test_clips_of_a_voice_that_was_missed_improve_a_word(improve, tmp_path, monkeypatch, capsys):
    # Whether to use a word, a minute of tones does not show.
    monkeypatch.setattr(verdict, "USABLE", dict.fromkeys(verdict.USABLE, 1.0))
    monkeypatch.setattr(verdict, "USABLE_ACCEPTS", math.inf)
    # Nor does it show the right threshold: one tune that sounds like the word would decide it.
    as_before = 1 / (1 + math.exp(-TRIED_SHIFT))
    name = "wakeword_daemon.training.calibration.default_threshold"
    monkeypatch.setattr(name, lambda *_: as_before)
    labelled = exported(tmp_path, pitch=(700, 1000))  # the word was trained at 150 to 275 Hz
    old = read_model(tmp_path / "sweep.safetensors")
    capsys.readouterr()
    assert improve(labelled, 4e-3, "--json") == 0
    *epochs, compared, told = map(json.loads, capsys.readouterr().out.splitlines())
    assert [row["epoch"] for row in epochs] == [1, 2]
    before, after = compared["before"], compared["after"]
    assert before["clips"]["missed"] >= 6
    assert after["clips"]["missed"] <= 2
    assert after["clips"]["accepted"] <= before["clips"]["accepted"]
    assert compared["worse"] == []
    assert after["conditions"]["clean"]["missed"] <= before["conditions"]["clean"]["missed"] + 1
    assert told["output"] == "sweep.safetensors"
    assert told["judgement"] in ("good", "fair")

    model = read_model(tmp_path / "sweep.safetensors")
    # Other takes by that voice; how many reach the threshold depends on the processor's rounding.
    rise = log_odds(peaks(model, 700, 1000)) - log_odds(peaks(old, 700, 1000))
    assert min(rise) > 0
    assert np.mean(rise) > np.log(2)
    assert sum(peaks(model, 150, 275) >= model.threshold) >= 7


def peaks(model, *pitch):
    """Return the highest score of each of eight new takes of the word, at a pitch between two."""
    rng = np.random.default_rng(1)
    takes = [(word(rng, rng.uniform(*pitch)) * 32_000).astype(np.int16) for _ in range(8)]
    quiet = rng.normal(0, 4, SAMPLE_RATE).astype(np.int16)
    heard = (Detector([model]).scores(np.concatenate([quiet, pcm, quiet])) for pcm in takes)
    return np.array([max(step.scores["sweep"] for step in steps) for steps in heard])


def trainer(material, settings, folder, identity="", **options):
    dev = build_streams(material.validation.dev, FeatureSettings())
    maker = SequenceMaker(material.composition)
    return Trainer(maker, dev, settings, folder, identity=identity, **options)


def test_an_interrupted_run_resumes_to_the_same_network(material, tmp_path):
    short = replace(SETTINGS, epochs=3, batches=4, batch_size=8, mining=1)
    whole = trainer(material, short, tmp_path / "whole").run()

    def interrupt(row):
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer(material, short, tmp_path / "parts").run(interrupt)
    rows = []
    resumed = trainer(material, short, tmp_path / "parts").run(rows.append)
    assert [row["epoch"] for row in rows] == [3]
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_energies_that_grow_in_training_stay_within_what_the_engine_computes(material, tmp_path):
    steep, usual = TorchCRNN(), TorchCRNN()
    with torch.no_grad():
        steep.energy[2].weight.fill_(5.0)  # energies up to 320
    before = usual.energy[2].weight.clone()
    usual.limit_energies()
    assert torch.equal(usual.energy[2].weight, before)
    with pytest.raises(ModelError, match="cannot be computed"):
        engine_from_torch(steep)
    short = replace(SETTINGS, epochs=1, batches=4, batch_size=8, averaging=0.1, peers=(64,))
    trained = trainer(material, short, tmp_path, starts=[steep]).run()  # it measures each epoch
    assert trained.energy[2].weight.abs().sum() < LARGEST_ENERGY


def test_a_run_starts_from_the_network_of_a_model(material, tmp_path):
    network = TorchCRNN()
    model = Model(describe("other", network, 0.5), folded_weights(network), NO_SELF_TEST)
    none = replace(SETTINGS, epochs=0)
    same = trainer(material, none, tmp_path / "same", starts=[torch_from_model(model)]).run()
    for name, value in folded_weights(same).items():
        np.testing.assert_allclose(value, model.weights[name], atol=1e-5)

    one = replace(none, epochs=1, batches=1, rate=1e-5)
    near = trainer(material, one, tmp_path / "near", starts=[torch_from_model(model)]).run()
    assert not torch.equal(near.conv.weight, same.conv.weight)
    assert torch.allclose(near.conv.weight, same.conv.weight, atol=1e-3)


def test_networks_that_train_together_start_from_different_models(material, tmp_path):
    starts = [TorchCRNN().eval() for _ in range(2)]
    three = replace(SETTINGS, epochs=0, peers=(64, 64, 64))
    run = trainer(material, three, tmp_path / "run", starts=starts)
    for peer, start in zip(run._peers.networks, starts, strict=False):
        assert torch.equal(peer.network.conv.weight, start.conv.weight)
    weights = [peer.network.conv.weight for peer in run._peers.networks]
    assert not torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[2], weights[0])


def test_a_model_of_another_shape_is_no_start(recordings, cache, tmp_path):
    network = TorchCRNN(Architecture(hidden=32))
    start = tmp_path / "narrow.safetensors"
    card = describe("sweep", network, 0.5)
    save_model(start, Model(card, folded_weights(network), NO_SELF_TEST))
    with pytest.raises(TrainingError, match="its network has another shape"):
        train_word(replace(job(recordings, cache, tmp_path / "run"), starts=(start,)))
    with pytest.raises(ModelError, match="there is no model file"):
        train_word(replace(job(recordings, cache, tmp_path / "run"), starts=(tmp_path / "none",)))
    with pytest.raises(TrainingError, match="3 models to start from, but only 2 networks"):
        train_word(replace(job(recordings, cache, tmp_path / "run"), starts=(start,) * 3))


def test_a_network_learns_from_teachers_of_any_width_against_the_labels(material, tmp_path):
    sure = TorchCRNN(Architecture(hidden=32))
    with torch.no_grad():
        sure.classifier.weight.zero_()
        sure.classifier.bias.copy_(torch.tensor([0.0, 4.0]))
    short = replace(SETTINGS, epochs=1, batches=20, batch_size=8, rate=5e-3, averaging=0.5)
    heard = torch.zeros(1, 100, FeatureSettings().mels)

    def log_odds(name, **options):
        network = trainer(material, short, tmp_path / name, **options).run()
        no, yes = network.decide(network.listen(network.columns(heard), None)[0])[0, -1].tolist()
        return yes - no

    assert log_odds("alone") < 0 < log_odds("taught", teachers=[sure])


def test_the_surest_teacher_teaches_at_the_word_and_their_mean_elsewhere():
    said = torch.tensor([[[4.0, 0.0, -6.0]], [[-2.0, 3.0, -2.0]]])
    near = torch.tensor([[True, True, False]])
    assert taught(said, near).tolist() == [[4.0, 3.0, -4.0]]


def test_a_model_that_cannot_teach_is_refused_before_anything_is_read(recordings, cache, tmp_path):
    teacher = tmp_path / "teacher.safetensors"

    def refused(name, architecture):
        network = TorchCRNN(architecture)
        card = describe(name, network, 0.5)
        save_model(teacher, Model(card, folded_weights(network), NO_SELF_TEST))
        with pytest.raises(TrainingError) as error:
            train_word(replace(job(recordings, cache, tmp_path / "run"), teachers=(teacher,)))
        return str(error.value)

    assert "cannot teach sweep: it is a model of other" in refused("other", Architecture())
    assert "its network has another shape" in refused("sweep", Architecture(steps=8))


def test_another_run_in_the_same_folder_is_refused(material, tmp_path):
    short = replace(SETTINGS, epochs=1, batches=1, batch_size=4)
    trainer(material, short, tmp_path, "a word").run()
    with pytest.raises(TrainingError, match="holds a run with other settings"):
        trainer(material, replace(short, seed=1), tmp_path, "a word").run()
    with pytest.raises(TrainingError, match="holds a run with other recordings"):
        trainer(material, short, tmp_path, "another word").run()


def test_a_loss_that_is_not_a_number_ends_the_run(material, tmp_path):
    broken = trainer(material, replace(SETTINGS, batch_size=4), tmp_path)
    with torch.no_grad():
        broken._peers.first.conv.bias.fill_(torch.nan)
    with pytest.raises(TrainingError, match="the loss became nan in epoch 1"):
        broken.run()
    assert not list(tmp_path.iterdir())


def change(recordings, tmp_path, keep, add=()):
    """Return a corpus with some recordings left out and others added."""
    corpus = read_corpus(recordings)
    template = next(r for r in corpus.recordings if r.word)
    added = []
    for name, wave in add:
        path = tmp_path / name
        soundfile.write(path, wave, SAMPLE_RATE, subtype="PCM_16")
        added.append(replace(template, path=path))
    return replace(corpus, recordings=(*filter(keep, corpus.recordings), *added))


def gather_word(corpus, cache):
    return gather(
        corpus, "sweep", FeatureSettings(), cache, phrase="sweep", voices=Voices(), seed=0
    )


def test_unusable_takes_are_set_aside_with_a_reason(recordings, cache, tmp_path):
    rng = np.random.default_rng(1)
    long = np.concatenate([word(rng, 200)[8000:-8000] for _ in range(8)])
    add = [
        ("silent.wav", np.zeros(SAMPLE_RATE)),
        ("clipped.wav", np.clip(20 * word(rng, 200), -1, 1)),
        ("long.wav", long + rng.normal(0, 2e-4, len(long))),
    ]
    corpus = change(recordings, tmp_path, lambda _: True, add)
    (tmp_path / "text.wav").write_text("not audio")
    template = next(r for r in corpus.recordings if r.word)
    broken = replace(template, path=tmp_path / "text.wav")
    corpus = replace(corpus, recordings=(*corpus.recordings, broken))
    found = gather_word(corpus, cache)
    reasons = {Path(reason.split(":")[0]).name: reason for reason in found.set_aside}
    assert "nothing is spoken" in reasons["silent.wav"]
    assert "clipped" in reasons["clipped.wav"]
    assert "the word lasts" in reasons["long.wav"]
    assert any("text.wav" in reason for reason in found.set_aside)
    assert found.real_takes == 30


def test_too_few_takes_or_speakers_are_refused(recordings, cache, tmp_path):
    few = change(recordings, tmp_path, lambda r: not (r.word and r.path.name[0] in "2345"))
    with pytest.raises(TrainingError, match="10 of the 20 takes, by 2 of the 3 speakers"):
        gather_word(few, cache)


def test_a_corpus_without_other_speech_is_refused(recordings, cache, tmp_path):
    alone = change(recordings, tmp_path, lambda r: r.word or r.split == "val")
    with pytest.raises(TrainingError, match="no other speech"):
        gather_word(alone, cache)


def test_a_small_validation_split_is_refused(recordings, cache, tmp_path):
    small = change(
        recordings, tmp_path, lambda r: r.split == "train" or (r.path.name[0] in "67" and r.word)
    )
    with pytest.raises(TrainingError, match="validation split is too small"):
        gather_word(small, cache)


def with_validation_speech(recordings, folder, samples):
    """Return the halves of a corpus in which each of two people says that much without the word."""
    corpus = read_corpus(recordings)
    template = next(r for r in corpus.in_split("val") if not r.word)
    rng = np.random.default_rng(0)
    speech = []
    for speaker in ("somebody", "another"):
        path = folder / f"{speaker}.wav"
        soundfile.write(path, rng.normal(0, 0.05, samples), SAMPLE_RATE, subtype="PCM_16")
        speech.append(replace(template, path=path, speaker=speaker))
    kept = tuple(r for r in corpus.recordings if r.split == "train" or r.word)
    takes, _ = usable_takes([r for r in kept if r.word], FeatureSettings())
    return halves(replace(corpus, recordings=(*kept, *speech)), "sweep", takes, [], 0)


def test_the_shortest_allowed_validation_speech_suffices_for_both_metrics(recordings, tmp_path):
    least = SHORTEST_SPEECH * SAMPLE_RATE
    validation = with_validation_speech(recordings, tmp_path, least)
    network = engine_from_torch(TorchCRNN(Architecture()))
    for half in (validation.dev, validation.test):
        streams = build_streams(half, FeatureSettings())
        assert measure(network, streams).hours * 3600 == pytest.approx(SHORTEST_SPEECH)
        assert 0 <= clip_metric(network, streams) <= 1


def test_one_sample_less_of_validation_speech_is_refused(recordings, tmp_path):
    less = SHORTEST_SPEECH * SAMPLE_RATE - 1
    with pytest.raises(TrainingError, match="65 seconds of other speech each"):
        with_validation_speech(recordings, tmp_path, less)


def test_variants_are_computed_once(recordings, tmp_path, monkeypatch):
    mine = [r for r in read_corpus(recordings).recordings if r.word][:6]
    takes, _ = usable_takes(mine, FeatureSettings())
    made = variants(takes, 2, FeatureSettings(), tmp_path, seed=0)
    assert len(made) > len(takes)
    other = variants(takes, 2, FeatureSettings(), tmp_path, seed=1)
    assert not np.array_equal(made[0].power, other[0].power)
    monkeypatch.setattr("wakeword_daemon.training.data.variants.change_voice", None)
    again = variants(takes, 2, FeatureSettings(), tmp_path, seed=0)
    for one, kept in zip(made, again, strict=True):
        assert (one.recording, one.span) == (kept.recording, kept.span)
        assert np.array_equal(one.power, kept.power)


def test_validation_is_halved_by_speaker(material):
    dev = {take.speaker for take in material.validation.dev.takes}
    test = {take.speaker for take in material.validation.test.takes}
    assert dev.isdisjoint(test)
    assert len(dev) == len(test) == 2


def test_words_with_many_takes_get_a_class_of_their_own(recordings, cache, tmp_path):
    rng = np.random.default_rng(0)
    waves = [
        (f"{name}/{n}.wav", name) for name, many in (("no", 100), ("go", 99)) for n in range(many)
    ]
    for path, _ in waves:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / path, word(rng, 300)[: SAMPLE_RATE * 2], SAMPLE_RATE)
    corpus = read_corpus(recordings)
    more = [
        replace(corpus.recordings[0], path=tmp_path / path, word=name, speaker=f"{name}{path}")
        for path, name in waves
    ]
    found = gather_word(replace(corpus, recordings=(*corpus.recordings, *more)), cache).composition
    assert found.words == 2  # the word to detect and "no"
    named = [w for kind in found.negatives for w in kind.words.values()]
    assert len(named) == 100
    assert {w.number for w in named} == {1}


def test_the_word_classifier_learns_from_the_steps_after_a_word():
    architecture = Architecture()
    sequences = batch(2, [(0, 150, 0), (1, 100, 2)])
    steps = (340 - 20) // 8 + 1
    end = 20 + 8 * np.arange(steps)

    def loss(first, second):
        names = torch.zeros(2, steps, 3)
        for row, (stop, number) in enumerate((first, second)):
            names[row, (end >= stop) & (end < stop + 32), number] = 9.0
        return word_classification_loss(names, sequences, architecture, slice(None)).item()

    right = loss((150, 0), (100, 2))
    assert right < 0.01
    assert loss((150, 0), (100, 1)) > 4
    assert loss((150, 0), (60, 2)) > 0.5  # told too early
    assert (
        word_classification_loss(torch.zeros(2, steps, 3), batch(2), architecture, slice(None)) == 0
    )


def test_peers_get_the_same_input_and_keep_their_own_state():
    torch.manual_seed(0)
    shapes = [Architecture(hidden=units) for units in (64, 64, 96)]
    networks = [MultiTaskCRNN(TorchCRNN(shape), 4) for shape in shapes]
    peers = Peers(networks)
    assert peers.first is networks[0].network
    mel = torch.randn(2, 2, 100, 40)
    states = None
    for part in mel:
        befores = states if states is not None else [None] * 3
        logits, names, states = peers(part, states)
        for network, before, *heard in zip(networks, befores, logits, names, states, strict=True):
            alone = network(network.network.columns(part), before)
            for own, of_all in zip(alone, heard, strict=True):
                assert torch.allclose(own, of_all, atol=1e-5)
    assert not torch.equal(states[0], states[1])


def test_peers_learn_from_their_mean_output():
    log_odds = torch.tensor([-3.0, 0.0, 6.0]).reshape(3, 1, 1).expand(3, 2, 5)
    log_odds = log_odds.clone().requires_grad_()
    losses = peer_loss(log_odds)
    assert losses.shape == (3,)
    losses.sum().backward()
    low, middle, high = log_odds.grad
    assert (low < middle).all()
    assert (middle < 0).all()  # up, to the mean of 1
    assert (high > 0).all()
    agreed = torch.full((3, 2, 5), 1.0, requires_grad=True)
    peer_loss(agreed).sum().backward()
    assert agreed.grad.abs().max() < 1e-6
    # A sequence's steps are summed, as its labels are given by the sequence.
    twice = log_odds.detach().repeat(1, 1, 2)
    assert torch.allclose(peer_loss(twice), 2 * losses)


def test_endpoints_are_those_of_the_word():
    rng = np.random.default_rng(0)
    wave = word(rng, 200)
    loud = np.flatnonzero(np.abs(wave) > 0.01) / SAMPLE_RATE * 100
    span = speech_span(MelPower(FeatureSettings())((wave * 32767).astype(np.int16)))
    assert abs(span.start - loud[0]) < 5
    assert abs(span.stop - loud[-1]) < 5
    assert speech_span(np.zeros((0, 40), "f")) is None
    noise = rng.normal(0, 500, SAMPLE_RATE).astype(np.int16)
    assert speech_span(MelPower(FeatureSettings())(noise)) is None


def test_a_library_returns_its_pieces():
    pieces = [np.full((n, 40), n, "f") for n in (3, 0, 5)]
    library = Library.join(pieces, 40)
    assert [len(library[i]) for i in range(len(library))] == [3, 0, 5]
    assert library.levelled()[2].sum(axis=1) == pytest.approx(np.ones(5))


def test_a_word_is_found_in_noise():
    rng = np.random.default_rng(0)
    spoken = word(rng, 200)
    loud = np.abs(spoken).max()
    room = rng.normal(0, loud / 20, round(1.2 * SAMPLE_RATE))
    off = np.zeros(SAMPLE_RATE)  # as of a microphone that turns itself off and on
    parts = [off, room, spoken + rng.normal(0, loud / 20, len(spoken)), room, off]
    wave = (np.concatenate(parts) * 10_000).astype(np.int16)
    power = MelPower(FeatureSettings())(wave)
    alone = speech_span(MelPower(FeatureSettings())((spoken * 10_000).astype(np.int16)))
    assert len(speech_span(power)) > 2 * len(alone)
    found = speech_span(power, round(1.4 * len(alone)))
    before = 220  # frames
    assert abs(found.start - before - alone.start) < 10
    assert abs(found.stop - before - alone.stop) < 10


def test_folds_validate_every_training_speaker_once(cache, tmp_path, monkeypatch, capsys):
    results = []

    def remembered(*arguments):
        results.append(cross_validate(*arguments))
        return results[-1]

    monkeypatch.setattr("wakeword_daemon.training.folds.cross_validate", remembered)
    quick = partial(TrainingSettings, batches=10, batch_size=32, averaging=0.9, rate=1e-2)
    monkeypatch.setattr("wakeword_daemon.training.fit.trainer.TrainingSettings", quick)
    conditions = few_conditions()
    monkeypatch.setattr("wakeword_daemon.training.word.measurable", lambda: (conditions, []))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent))
    recordings = manifest_corpus(tmp_path / "recordings", tunes=6)
    run = tmp_path / "run"
    output = run / "folds.md"
    command = (
        "train", "sweep", "--folds", 3, "--json", "--data", recordings, "--output", output,
        "--run", run, "--epochs", 2, "--peers", "64,64", "--synthetic", 0, "--workers", 0,
    )  # fmt: skip
    assert main(list(map(str, command))) == 0
    (measured,) = results
    *epochs, told = map(json.loads, capsys.readouterr().out.splitlines())
    assert [row["epoch"] for row in epochs] == [1, 2] * 3
    assert told["output"] == str(output)
    clean = measured.test["clean"]
    assert (told["takes"], told["hours"]) == (len(clean.takes), clean.hours)
    assert told["miss_rate"] == clean.missed(0.5) / len(clean.takes)
    assert told["false_accepts_per_hour"] == clean.accepts(0.5) / clean.hours
    trained = [r for r in read_corpus(recordings).in_split("train") if r.word == "sweep"]
    for reports in (measured.dev, measured.test):
        assert set(reports) == {condition.name for condition in conditions}
    heard = [take.speaker for take in measured.both("clean").takes]
    assert sorted(heard) == sorted(r.speaker for r in trained)
    single = json.loads((run / "1/results.json").read_text())["dev"]["clean"]["hours"]
    assert measured.dev["clean"].hours > single
    report = output.read_text()
    assert "3 networks were trained like the one that ships" in report
    for speaker in set(heard):
        assert f"| {speaker.rpartition('/')[2]} |" in report


def test_folds_of_one_speaker_are_refused(recordings, cache, tmp_path):
    with pytest.raises(TrainingError, match="6 of the 8 that 4 groups need"):
        cross_validate(replace(job(recordings, cache, tmp_path), output=tmp_path / "folds.md"), 4)
    assert not list(tmp_path.iterdir())


def test_a_fold_does_not_touch_the_validation_split(recordings):
    corpus = read_corpus(recordings)
    folds = [corpus.fold(index, 3) for index in range(3)]
    held_out = [{r.speaker for r in fold.in_split("val") if r.word} for fold in folds]
    assert sorted(speaker for group in held_out for speaker in group) == [
        f"tones/s{n}" for n in range(6)
    ]
    for fold, group in zip(folds, held_out, strict=True):
        assert {r.speaker for r in fold.in_split("train") if r.word}.isdisjoint(group)
        assert not {r.path.name[0] for r in fold.recordings if r.word} & set("6789")
    assert len({fold.fingerprint() for fold in folds}) == 3


needs_espeak = pytest.mark.skipif(
    "espeak" not in synthesis.engines(), reason="espeak-ng is not installed"
)


@needs_espeak
def test_similar_words_are_similar_but_not_the_word(tmp_path, monkeypatch):
    words = tmp_path / "words"
    words.write_text("alexander\nelection\nTexas\nlexicon\nhouse\nanalects\nboat\nmirth\nstart\n")
    monkeypatch.setattr(neighbours, "DICTIONARY", words)
    rng = random.Random(0)  # noqa: S311 - a test
    drawn = list(islice(neighbours.similar("alexa", tmp_path, rng), 200))
    assert "alexander" not in drawn
    assert drawn.count("lexicon") > drawn.count("boat")
    pairs = set(islice(neighbours.similar("smart mirror", tmp_path, rng), 300))
    assert {"start mirror", "smart mirth"} <= pairs
    assert "smart mirror" not in pairs


def apart(own, other):
    """Return the edit distance of two lists of sounds, in which vowels are nearer to each other."""
    if not own or not other:
        return len(own) + len(other)
    vowels = own[-1] in neighbours.VOWELS and other[-1] in neighbours.VOWELS
    exchanged = 0 if own[-1] == other[-1] else 0.5 if vowels else 1
    return min(
        apart(own[:-1], other[:-1]) + exchanged,
        apart(own[:-1], other) + 1,
        apart(own, other[:-1]) + 1,
    )


SOUNDS = st.lists(st.sampled_from(["s", "n", "oU", "b", "OI"]), max_size=4)


@given(SOUNDS, st.lists(SOUNDS, min_size=1, max_size=3))
def test_alignments_are_edit_distances(own, others):
    rows = list(neighbours.alignments(own, others, anywhere=False))
    assert len(rows) == len(own) + 1
    for i, row in enumerate(rows):
        for other, found in zip(others, row, strict=True):
            wanted = [apart(own[:i], other[:j]) for j in range(len(other) + 1)]
            assert found[: len(other) + 1].tolist() == wanted
            assert np.isinf(found[len(other) + 1 :]).all()


@needs_espeak
@pytest.mark.parametrize("phrase", ["snowboy", "hey nova", "view glass"])
def test_mishearings_are_common_words_that_sound_like_the_phrase(phrase):
    drawn = list(islice(mishearings(phrase, random.Random(0)), 100))  # noqa: S311 - a test
    again = list(islice(mishearings(phrase, random.Random(0)), 100))  # noqa: S311 - a test
    assert drawn == again
    assert len(set(drawn)) > 80
    parts = phrase.split()
    assert {word for text in drawn for word in text.split()} <= {*COMMON, *parts}
    assert not any(phrase in text for text in drawn)
    if len(parts) > 1:  # as "a smart move" is for smart mirror
        for part in parts:
            assert sum(part in text.split() for text in drawn) >= 10
    own, *sounds = synthesis.phonemes([phrase, *drawn])
    differ = neighbours.distances(own, sounds) - 0.1 * np.abs([len(s) - len(own) for s in sounds])
    rows = synthesis.phonemes(random.Random(0).choices(COMMON, k=100))  # noqa: S311 - a test
    far = neighbours.distances(own, rows)
    assert np.median(differ) < np.median(far) - 1


@needs_espeak
def test_even_a_sound_that_no_words_resemble_has_mishearings():
    assert len(list(islice(mishearings("a", random.Random(0)), 3))) == 3  # noqa: S311 - a test


@needs_espeak
def test_invented_words_never_sound_like_the_word_in_another_accent():
    vowel = "|".join(map(re.escape, neighbours.VOWELS))
    rng = random.Random(0)  # noqa: S311 - a test
    for text in islice(neighbours.nonsense("alexa", rng), 500):
        assert not re.search(rf"(^|_)({vowel})_l_({vowel})_k_s_({vowel})(_|$)", text[4:-2]), text


def test_a_respelt_phrase_keeps_its_shape_but_not_its_consonants():
    rng = random.Random(0)  # noqa: S311 - a test
    drawn = list(islice(neighbours.respelt("alexa", rng), 200))
    assert not any("x" in text for text in drawn)
    assert len(set(drawn)) > 100
    pairs = list(islice(neighbours.respelt("view glass", rng), 200))
    assert all(text.count(" ") == 1 for text in pairs)
    assert "view glass" not in pairs


def test_pieces_of_one_noise_stay_in_one_split(recordings):
    corpus = read_corpus(recordings)
    template = next(r for r in corpus.recordings if r.noise)
    names = [f"hum{n}_{part}.wav" for n in range(10) for part in range(3)]
    noise = tuple(replace(template, path=recordings / "noise" / name) for name in names)
    rehearsed, unheard = divide_noise(replace(corpus, recordings=noise))
    assert len(unheard) == 6
    assert len(rehearsed) == 24
    origins = [{r.path.name.split("_")[0] for r in part} for part in (rehearsed, unheard)]
    assert origins[0].isdisjoint(origins[1])


@needs_espeak
def test_synthetic_speech_has_the_word_and_similar_words(tmp_path):
    rng = random.Random(0)  # noqa: S311 - a test
    assert [sounds[0] for sounds in synthesis.phonemes(["jarvis", "snowboy"])] == ["dZ", "s"]
    near = list(islice(neighbours.nonsense("jarvis", rng), 20))
    assert len(set(near)) > 15
    assert all(text.startswith("[['") for text in near)
    voices = synthesis.voices(rng, synthesis.engines())
    job = SpeakingJob("jarvis", lambda: (repeat("jarvis"), voices), 4, tmp_path / "jarvis")
    made = job.make()
    assert len(made) == 4
    front_end = MelPower(FeatureSettings())
    assert all(speech_span(front_end(files.read(one.path))) for one in made)
    other = replace(job, draws=lambda: (repeat("other"), voices))
    assert other.make() == made  # found again
    assert [p.name for p in tmp_path.iterdir()] == ["jarvis"]
    heard = {v.name for v in islice(synthesis.voices(rng, ["espeak", "flite"]), 300)}
    unheard = {
        v.name for v in islice(synthesis.voices(rng, ["espeak", "flite"], held_out=True), 300)
    }
    assert heard.isdisjoint(unheard)


def test_an_absent_device_is_refused_before_reading_anything(capsys, tmp_path):
    assert main(["train", "sweep", "--data", str(tmp_path), "--device", "abacus"]) == 1
    assert "torch cannot compute on 'abacus' here" in capsys.readouterr().err
