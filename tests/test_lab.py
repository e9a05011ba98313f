"""The laboratory's parts do what their papers and docstrings say."""

import json
import re
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
import torch
from support.recordings import manifest_corpus
from torch import nn

from wakeword_daemon.engine.crnn import LARGEST_ENERGY
from wakeword_daemon.engine.modelfile import read_model
from wakeword_daemon.engine.settings import Architecture, FeatureSettings
from wakeword_daemon.engine.streams import running_step
from wakeword_daemon.errors import ConfigError, TrainingError
from wakeword_daemon.lab import pictures, table
from wakeword_daemon.lab.answers import Answers, Teachers, answer
from wakeword_daemon.lab.chain import check_chain
from wakeword_daemon.lab.clips import CLIP, read_clips
from wakeword_daemon.lab.fitting import Fitter, Schedule, TrainingSetup
from wakeword_daemon.lab.macs import macs, macs_a_step, parameters
from wakeword_daemon.lab.models import clip_network, describe, read_teacher, write_model
from wakeword_daemon.lab.objective import Objective, align
from wakeword_daemon.lab.pruning import cut, shrinker
from wakeword_daemon.lab.quantization import (
    as_rows,
    dynamic,
    fake_quantized,
    int8_rows,
    weight_bytes,
)
from wakeword_daemon.lab.recipe import find_recipes, read_recipe
from wakeword_daemon.lab.split import split
from wakeword_daemon.lab.views import Views
from wakeword_daemon.training.data.corpus import read_corpus
from wakeword_daemon.training.fit.distributed import Processes
from wakeword_daemon.training.fit.export import folded_weights
from wakeword_daemon.training.fit.network import TorchCRNN
from wakeword_daemon.training.fit.softlabels import soft_loss

pytestmark = pytest.mark.torch

FEATURES = FeatureSettings()
SMALL = Architecture(channels=3, hidden=10, attention=6)
RECIPES = Path(__file__).parents[1] / "docs/lab/recipes"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return read_corpus(manifest_corpus(tmp_path_factory.mktemp("recordings")))


@pytest.fixture(scope="module")
def clips(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    return read_clips(corpus, split(corpus, folder / "split.json"), "sweep", FEATURES, folder)


@pytest.fixture(scope="module")
def views(clips):
    return Views(clips)


def network(architecture=SMALL, seed=0, scale=2.0):
    torch.manual_seed(seed)
    made = TorchCRNN(architecture)
    with torch.no_grad():
        for parameter in made.parameters():  # large enough for saturated gates and sharp attention
            parameter.mul_(scale)
    return made.eval()


# Split and clips


def test_a_split_is_drawn_once_and_stored(corpus, tmp_path):
    first = split(corpus, tmp_path / "split.json", seed=3)
    assert split(corpus, tmp_path / "split.json", seed=4) == first  # the file decides
    assert split(corpus, tmp_path / "again.json", seed=3) == first
    assert split(corpus, tmp_path / "other.json", seed=4).order != first.order
    assert len(first.order) == len(set(first.order)) == 90  # without the noise
    assert first.is_trained() == [True] * 72 + [False] * 18


def test_a_split_of_another_folder_is_refused(corpus, tmp_path):
    file = tmp_path / "split.json"
    split(corpus, file)
    fewer = replace(corpus, recordings=corpus.recordings[1:])
    with pytest.raises(TrainingError, match=r"does not fit .* 1 of its recordings are not here"):
        split(fewer, file)
    split(fewer, tmp_path / "fewer.json")
    with pytest.raises(TrainingError, match=r"does not fit .* 1 here are not in it"):
        split(corpus, tmp_path / "fewer.json")
    for content in ("{", "[]", '{"seed": 0}'):
        file.write_text(content)
        with pytest.raises(TrainingError, match="is not a split file"):
            split(corpus, file)


def test_clips_last_a_second_and_follow_the_split(corpus, clips):
    assert clips.log_mel.shape[1:] == (98, 40)
    assert clips.is_word.sum() == 50
    seconds = sum(soundfile.info(r.path).frames // CLIP for r in corpus.recordings if not r.word)
    assert len(clips.is_word) + len(clips.noise) == 50 + seconds
    assert len(clips.noise) == 10
    mel, is_word = clips.validation()
    assert len(mel) == (~clips.is_trained).sum()
    assert 0 < is_word.sum() < len(is_word)
    # Takes are longer than a second: each was cut around the word, louder than the pauses.
    words = clips.log_mel[clips.is_word].astype(np.float32).mean(2)
    assert (words[:, 30:60].max(1) > words[:, :10].max(1) + 2).all()


def test_a_short_recording_is_padded_evenly():
    from wakeword_daemon.lab.clips import _padded  # noqa: PLC0415

    padded = _padded(np.full(8000, 1000, np.int16), np.random.default_rng(0))
    assert len(padded) == CLIP
    assert (padded[4000:12000] == 1000).all()
    assert 2 < padded[:4000].std() < 8


def test_an_empty_class_is_refused(corpus, tmp_path):
    drawn = split(corpus, tmp_path / "split.json")
    with pytest.raises(TrainingError, match="no recordings of 'hello' to train on; its words: sw"):
        read_clips(corpus, drawn, "hello", FEATURES, tmp_path)
    names = dict(zip(drawn.order, drawn.is_trained(), strict=True))

    def side(recording):
        return names.get(recording.path.relative_to(corpus.root).as_posix())

    unheard = [r for r in corpus.recordings if not (r.word and side(r) is False)]
    lonely = replace(corpus, recordings=tuple(unheard))
    order = tuple(
        n for n in drawn.order if n in {r.path.relative_to(corpus.root).as_posix() for r in unheard}
    )
    trained_first = sorted(order, key=lambda n: not names[n])
    with pytest.raises(TrainingError, match=r"no recordings of 'sweep' to validate with"):
        read_clips(lonely, replace(drawn, order=tuple(_four_of_five(trained_first))), "sweep",
                   FEATURES, tmp_path)  # fmt: skip
    words = replace(corpus, recordings=tuple(r for r in corpus.recordings if r.word))
    with pytest.raises(TrainingError, match="has only 'sweep' to train on"):
        read_clips(words, split(words, tmp_path / "w.json"), "sweep", FEATURES, tmp_path)


def _four_of_five(order):
    """Put recordings without the word last, so that the last fifth has none with it."""
    return sorted(order, key=lambda name: not name.startswith("words/"))


def test_a_view_does_not_depend_on_the_order(views):
    rows = np.arange(20)
    shuffled = np.random.default_rng(0).permutation(20)
    whole = views.samples(2, rows)
    assert torch.equal(views.samples(2, shuffled), whole[shuffled])
    assert not torch.equal(views.samples(3, rows), whole)
    assert torch.isfinite(whole).all()
    assert views.is_word.sum() == 3 * (views._clips.is_word & views._clips.is_trained).sum()


# Counting


def test_macs_equal_a_count_by_hand():
    a = Architecture(
        channels=2, kernel_mels=4, kernel_frames=10, stride_mels=3, stride_frames=5, hidden=3,
        layers=2, attention=4, steps=8,
    )  # fmt: skip
    # 13 bands: (40 - 4) // 3 + 1. Two channels of 40 weights at each.
    convolution = 2 * 13 * 40
    # Three gates of 3 units read 26 columns and 3 units; then 3 units and 3 units.
    recurrent = 3 * 3 * (26 + 3) + 3 * 3 * (3 + 3)
    attention = 3 * 4 + 4 + 3  # inner layer, energy, and the weighted sum of the hidden state
    assert macs_a_step(a, FEATURES) == convolution + recurrent + attention
    # Two seconds are 198 frames, 38 steps: (198 - 10) // 5 + 1. One classifier of 6 weights.
    assert macs(a, FEATURES) == 38 * (convolution + recurrent + attention) + 6


def test_the_networks_of_the_report_have_its_sizes():
    recipes = find_recipes([RECIPES])
    counted = {name: parameters(recipe.shape(), FEATURES) for name, recipe in recipes.items()}
    assert counted["teacher"] == 70_443
    assert counted["distilled"] == 9_047
    assert counted["attention"] == counted["dynamic"] == 8_937
    teacher = macs(recipes["teacher"].shape(), FEATURES)
    assert teacher == pytest.approx(1.95e6, rel=0.03)
    assert teacher / macs(recipes["distilled"].shape(), FEATURES) == pytest.approx(5.3, abs=0.1)
    for name, recipe in recipes.items():
        made = TorchCRNN(recipe.shape())
        assert sum(p.numel() for p in made.parameters()) == counted[name]


# Distillation


def test_the_distillation_loss_is_lowest_at_the_teachers_outputs():
    taught = torch.tensor([-3.0, 0.5, 4.0])
    for temperature in (1.0, 4.0):
        log_odds = taught.clone().requires_grad_()
        soft_loss(log_odds, taught, temperature).backward()
        assert log_odds.grad.abs().max() < 1e-6
    # T² keeps the gradient of small log odds as large as it is at T = 1.
    small = torch.tensor([0.02])
    gradients = []
    for temperature in (1.0, 10.0):
        log_odds = torch.zeros(1, requires_grad=True)
        soft_loss(log_odds, small, temperature).backward()
        gradients.append(log_odds.grad.item())
    assert gradients[1] == pytest.approx(gradients[0], rel=1e-3)
    # By hand: softmax over two classes of logits (0, m) at temperature T.
    student, teacher = torch.tensor([[0.0, 1.0]]), torch.tensor([[0.0, 2.0]])
    direct = -((teacher / 3).softmax(1) * (student / 3).log_softmax(1)).sum() * 9
    assert soft_loss(student[:, 1], teacher[:, 1], 3.0).item() == pytest.approx(direct.item())


def test_attention_is_resampled_to_other_steps_without_loss():
    teacher = Architecture()
    assert torch.equal(align(teacher, teacher, 98), torch.eye(10))
    for student in (
        Architecture(stride_frames=16),
        Architecture(kernel_frames=30, stride_frames=30),
        Architecture(kernel_frames=90, stride_frames=16),  # a single step
        Architecture(kernel_frames=4, stride_frames=4),  # more steps than the teacher
    ):
        matrix = align(teacher, student, 98)
        assert torch.allclose(matrix.sum(1), torch.ones(10))
        steps = (98 - student.kernel_frames) // student.stride_frames + 1
        assert matrix.shape == (10, steps)
        # Within the student's window, the teacher's attention stays in place.
        theirs = torch.arange(10) * 8 + 10.0
        own = torch.arange(steps) * student.stride_frames + student.kernel_frames / 2
        inside = (theirs >= own[0]) & (theirs <= own[-1])
        assert torch.allclose((matrix @ own)[inside], theirs[inside], atol=1e-4)


def test_the_attention_loss_is_zero_for_the_teachers_attention():
    mel = torch.randn(4, 98, 40) * 4 - 5
    log_odds, log_attention = answer(network(), mel)
    taught = Answers(log_odds.detach(), log_attention.exp().detach())
    matrix = align(SMALL, SMALL, 98)
    labels = torch.tensor([True, False, True, False])

    def loss(log_attention, weight):
        objective = Objective(temperature=2.0, weight=1.0, attention=weight)
        return objective(log_odds, log_attention, labels, taught, matrix).item()

    assert loss(log_attention, 5.0) == pytest.approx(loss(log_attention, 0.0), abs=1e-5)
    flat = torch.full_like(log_attention, 0.1).log()
    assert loss(flat, 5.0) > loss(flat, 0.0) + 0.01


def test_teacher_outputs_equal_the_network():
    made, mel = network(), torch.randn(3, 98, 40) * 4 - 5
    log_odds, log_attention = answer(made, mel)
    logits = made(mel)
    assert torch.allclose(log_odds, logits[:, 1] - logits[:, 0], atol=1e-5)
    assert torch.allclose(log_attention.exp().sum(1), torch.ones(3))


def test_teachers_are_evaluated_once(views, tmp_path):
    teachers = Teachers([network(), network(seed=1)], views, tmp_path)
    asked = teachers.ask(1)
    single = [answer(n, views.samples(1, np.arange(len(views))))[0] for n in teachers._networks]
    assert torch.allclose(asked.log_odds, torch.stack(single).mean(0), atol=1e-4)
    mute = Teachers([], views, tmp_path)  # with stored outputs, no teacher is needed
    assert torch.equal(mute.ask(1).attention, asked.attention)


# Fitting


def fitter(views, folder, *, epochs=2, processes=None, **setup):
    torch.manual_seed(0)
    schedule = Schedule(epochs=epochs, batch_size=32, averaging=0.5)
    return Fitter(
        TorchCRNN(SMALL), TrainingSetup(views, Objective(), **setup), schedule, folder,
        processes or Processes(),
    )  # fmt: skip


def test_an_interrupted_training_resumes_to_the_same_network(views, tmp_path, monkeypatch):
    whole, _ = fitter(views, tmp_path / "whole").run()
    half = fitter(views, tmp_path / "parts")
    finish = half._loop.finish_epoch

    def interrupt(*arguments):
        finish(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(half._loop, "finish_epoch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        half.run()
    resumed, _ = fitter(views, tmp_path / "parts").run()
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    losses = (tmp_path / "parts/losses.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in losses] == [1, 2]


def test_a_loss_that_is_not_a_number_ends_the_training(views, tmp_path):
    broken = fitter(views, tmp_path / "run")
    with torch.no_grad():
        broken._network.conv.bias.fill_(torch.nan)
    with pytest.raises(TrainingError, match="run: the loss became nan in epoch 1"):
        broken.run()
    assert not (tmp_path / "run").exists()


def test_energies_that_grow_stay_within_what_the_engine_computes(views, tmp_path):
    steep = fitter(views, tmp_path)
    with torch.no_grad():
        steep._network.energy[2].weight.fill_(200.0)
    fitted, _ = steep.run()
    assert fitted.energy[2].weight.abs().sum() < LARGEST_ENERGY


# Pruning


def test_removing_zero_groups_changes_nothing():
    made = network()
    with torch.no_grad():
        made.gru.weight_ih_l0.view(30, 3, 18)[:, 1] = 0
        for unit in (0, 4, 7):
            made.gru.weight_hh_l0[:, unit] = 0
            made.gru.weight_ih_l1[:, unit] = 0
        for unit in (2, 9):
            made.gru.weight_hh_l1[:, unit] = 0
            made.energy[0].weight[:, unit] = 0
            made.classifier.weight[:, unit] = 0
        made.energy[2].weight[:, 3] = 0
    # Layers keep one size, so the first has to keep one of its three zeros.
    wanted = replace(SMALL, channels=2, hidden=8, attention=5)
    small, lost = cut(made, wanted)
    assert small.architecture == wanted
    assert lost == 0
    mel = torch.randn(5, 98, 40) * 4 - 5
    with torch.no_grad():
        assert torch.allclose(small(mel), made(mel), atol=1e-4)
    assert cut(made, replace(wanted, hidden=6))[1] > 0.01


def test_the_group_penalty_makes_whole_groups_zero(views, tmp_path):
    kept, _ = fitter(views, tmp_path / "free", epochs=3).run()
    shrunk, _ = fitter(views, tmp_path / "shrunk", epochs=3, shrink=shrinker(5)).run()

    def zeros(made):
        return int((made.gru.weight_hh_l0.abs().sum(0) < 1e-5).sum())

    assert zeros(kept) == 0
    assert zeros(shrunk) > 0


def test_pruning_only_makes_networks_smaller():
    for wanted in (replace(SMALL, hidden=11), replace(SMALL, stride_frames=16)):
        with pytest.raises(TrainingError, match="pruning cannot change"):
            cut(network(), wanted)


# Quantization and model files


def test_int8_rows_are_off_by_half_a_step_at_most():
    weight = torch.randn(7, 3, 5) * torch.logspace(-2, 1, 7)[:, None, None]
    numbers, scale = as_rows(weight)
    assert numbers.abs().amax((1, 2)).eq(127).all()
    assert ((numbers * scale - weight).abs() <= scale * 0.57).all()  # scales are rounded too


def test_fake_quantization_leaves_the_weights_as_they_were():
    made = network()
    before = {name: p.clone() for name, p in made.named_parameters()}
    with fake_quantized(made):
        assert not torch.equal(made.gru.weight_hh_l0, before["gru.weight_hh_l0"])
        numbers, scale = as_rows(before["gru.weight_hh_l0"])
        assert torch.equal(made.gru.weight_hh_l0, numbers * scale)
        made(torch.randn(2, 98, 40)).sum().backward()
    for name, p in made.named_parameters():
        assert torch.equal(p, before[name])
        assert p.grad is not None


def saved(made, path, stored):
    spoken = np.random.default_rng(0).normal(-5, 4, (98, 40)).astype(np.float32)
    return write_model(path, stored, describe("sweep", made, 0.37), spoken)


def clips_like(count=40):
    return np.random.default_rng(1).normal(-5, 4, (count, 98, 40)).astype(np.float32)


def test_a_model_file_restores_its_network(tmp_path):
    made, mel = network(), clips_like()
    model = saved(made, tmp_path / "m.safetensors", dict(folded_weights(made)))
    with torch.no_grad():
        again = clip_network(model)(torch.from_numpy(mel))
        assert torch.allclose(again, made(torch.from_numpy(mel)), atol=1e-3)


@pytest.mark.parametrize("architecture", [SMALL, Architecture(hidden=12, stride_frames=16)])
def test_offline_streaming_and_engine_agree_on_int8_weights(architecture, tmp_path):
    made = network(architecture)
    stored = int8_rows(made)
    model = saved(made, tmp_path / "m.safetensors", stored)
    links = check_chain(model, clips_like(), unrounded=made)
    in_c = ["engine, C"] if running_step() == "C" else []
    assert [link.name for link in links] == [
        "streaming, torch", "engine, numpy", *in_c, "before quantizing, torch",
    ]  # fmt: skip
    assert all(link.holds for link in links)
    assert links[0].difference < 1e-5
    assert max(link.difference for link in links[1:-1]) < 1e-4
    assert 0 < links[-1].difference < 0.1
    assert read_model(tmp_path / "m.safetensors").card == model.card
    assert weight_bytes(stored) < 0.5 * sum(w.nbytes for w in folded_weights(made).values())


def test_a_broken_chain_of_implementations_is_reported(tmp_path, monkeypatch):
    made = network()
    model = saved(made, tmp_path / "m.safetensors", int8_rows(made))
    monkeypatch.setattr(
        "wakeword_daemon.lab.chain._run",
        lambda _, mel: np.full(len(mel), 0.5, np.float32),
    )
    engine = check_chain(model, clips_like())[1]
    assert not engine.holds


def test_dynamic_quantization_in_torch_gives_the_weights_of_the_file(tmp_path):
    made = network()
    quantized, stored = dynamic(made)
    assert isinstance(quantized, nn.Module)
    layer = quantized.gru.get_weight()["weight_hh_l1"]
    model = saved(made, tmp_path / "m.safetensors", stored)
    assert np.allclose(model.weights["gru.weight_hh_l1"], layer.dequantize().numpy(), atol=1e-6)
    assert stored["conv.weight"].dtype == np.float32
    links = {link.name: link for link in check_chain(model, clips_like(), dynamic=quantized)}
    assert links["engine, numpy"].holds
    assert links["dynamically quantized, torch"].difference < 0.2


def test_a_teacher_of_another_word_or_other_features_is_refused(tmp_path):
    made, path = network(), tmp_path / "m.safetensors"
    saved(made, path, dict(folded_weights(made)))
    assert read_teacher(path, "sweep", FEATURES).name == "sweep"
    with pytest.raises(TrainingError, match="is a model of 'sweep', not of 'happy'"):
        read_teacher(path, "happy", FEATURES)
    with pytest.raises(TrainingError, match="has another front end"):
        read_teacher(path, "sweep", FeatureSettings(mels=32))


# Table and pictures


def run(metric, **figures):
    return {
        "title": "a title", "seed": 0, "parameters": 100, "file_bytes": 4000, "weight_bytes": 400,
        "macs": 1000, "cpu_ms": 1.5, "clip_metric": metric, "clips": 50, "epochs": 3, "seconds": 9,
        "chain": [{"name": "engine, numpy", "difference": 1e-7, "decisions": 0, "exact": True}],
        **figures,
    }  # fmt: skip


def test_a_row_is_compared_with_the_mean_of_the_teachers():
    small = [run(3e-4, file_bytes=100, macs=50), run(1e-4, file_bytes=100, macs=50, seed=1)]
    rows = table.rows({"teacher": [run(1e-4), run(3e-4, seed=1)], "small": small, "none": []})
    assert [row.name for row in rows] == ["teacher", "small"]
    plain = rows[1].plain()
    assert plain["clip_metric"] == pytest.approx(2e-4)
    assert plain["times_teacher"] == pytest.approx(1)
    assert plain["smaller"] == pytest.approx(40)
    assert plain["fewer_macs"] == pytest.approx(20)
    lines = table.markdown(rows).splitlines()
    assert len({line.count("|") for line in lines[:4]}) == 1
    assert "| 40.0 | 50 | 20.0 | 1.50 | 2.00e-04 (1.0e-04 to 3.0e-04, 2 seeds) | 1.00 |" in lines[3]
    assert "| small-1 | engine, numpy | 1.0e-07 | 0 of 50 |" in lines


def test_pictures_show_our_results_beside_published_ones(tmp_path):
    small = [run(3e-4, file_bytes=100, macs=50), run(1e-4, file_bytes=100, macs=50)]
    drawn = pictures.draw(table.rows({"teacher": [run(1e-4)], "small": small}), tmp_path)
    assert [path.name for path in drawn] == ["macs.svg", "memory.svg"]
    for path in drawn:
        labels = set(re.findall(r"<text[^>]*>(.+?)</text>", path.read_text()))
        assert {"teacher", "small", "best public student", "report: + attention"} <= labels
        assert any("than the teacher" in label for label in labels)
    again = drawn[0].read_bytes()
    pictures.draw(table.rows({"teacher": [run(1e-4)], "small": small}), tmp_path)
    assert drawn[0].read_bytes() == again  # no date, no chance


# Recipes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title: x\nepoch: 3", ":2: unknown key epoch; did you mean epochs?"),
        ("epochs: 3", ":1: title is missing; it must be a title for the table"),
        ("title: x\n\ndistil: {teacher: [a]}", ":3: unknown key distil.teacher; did you mean"),
        ("title: x\ndistil: {weight: 1}", ":2: distil.teachers is missing"),
        ("title: x\ndistil: {teachers: a}", ":2: distil.teachers must be a list of recipes"),
        ("title: x\ndistil: {teachers: []}", ":2: distil.teachers must be a list of recipes"),
        ("title: x\nrate: 2", ":2: rate must be a learning rate above 0 and up to 1, not '2'"),
        ("title: x\nseeds: [0, a]", ":2: seeds must be a list of whole numbers"),
        ("title: x\nquantize: int4", ":2: quantize must be dynamic for torch's"),
        ("title: x\narchitecture: {hidden: 0}", ":2: architecture.hidden must be a whole number"),
        ("title: x\narchitecture: {stride_frames: 30}", ": the architecture cannot stream"),
        ("title: x\nprune: {strength: 1, epochs: 1}", ": prune needs start"),
        ("title: x\nepochs: 0", ": epochs is 0, but there is no start"),
        ("title: x\nquantize: dynamic", ": dynamic quantization trains nothing"),
        ("title: [", ": not valid YAML"),
    ],
)
def test_an_invalid_recipe_is_refused(text, message, tmp_path):
    file = tmp_path / "r.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_recipe(file)
    assert str(caught.value).startswith(str(file))
    assert message in str(caught.value)


def test_recipes_are_ordered_by_what_they_need(tmp_path):
    for name, text in {
        "a": "title: a\nstart: c\nepochs: 0",
        "b": "title: b\ndistil: {teachers: [c-0, d]}",
        "c": "title: c",
        "d": "title: d\ndistil: {teachers: [c]}",
    }.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    assert list(find_recipes([tmp_path])) == ["c", "a", "d", "b"]
    (tmp_path / "c.yaml").write_text("title: c\nstart: b\n")
    with pytest.raises(ConfigError, match="in a circle: a → c → b → c"):
        find_recipes([tmp_path])
    with pytest.raises(ConfigError, match="has no recipes"):
        find_recipes([tmp_path.parent / tmp_path.name / ".."])


def test_a_recipes_defaults_are_the_teacher():
    recipe = read_recipe(RECIPES / "teacher.yaml")
    assert recipe.shape() == Architecture(steps=10)  # as many as a clip has
    assert msgspec.to_builtins(recipe)["distil"] is None
