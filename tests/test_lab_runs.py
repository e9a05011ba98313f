"""`wakeword lab` runs recipes once, resumes, compares them, and says early what cannot work."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.recordings import manifest_corpus

from wakeword_daemon.cli import main
from wakeword_daemon.engine import Detector, read_model
from wakeword_daemon.engine.crnn import CRNN
from wakeword_daemon.engine.modelfile import Model, SelfTest, save_model
from wakeword_daemon.engine.streams import running_step

pytestmark = pytest.mark.torch

ROOT = Path(__file__).resolve().parents[1]
SHAPE = "{channels: 3, hidden: 12, attention: 8, layers: 2}"
SMALL = "{channels: 2, hidden: 8, attention: 6, layers: 1, stride_frames: 16}"
QUICK = "batch_size: 32\naveraging: 0.9\n"
RECIPES = {
    "teacher": f"title: the teacher\narchitecture: {SHAPE}\nseeds: [0, 1]\nepochs: 3\n{QUICK}",
    "student": f"title: a student\narchitecture: {SMALL}\nepochs: 3\n{QUICK}"
    "distil: {teachers: [teacher], temperature: 2, weight: 0.8, attention: 0.1}\n",
    "dynamic": f"title: dynamic\narchitecture: {SMALL}\nepochs: 0\nstart: student\n"
    "quantize: dynamic\n",
    "int8": f"title: int8\narchitecture: {SMALL}\nepochs: 1\n{QUICK}start: student\n"
    "quantize: int8\ndistil: {teachers: [teacher-1]}\n",
    "pruned": "title: pruned\narchitecture: {channels: 2, hidden: 9, attention: 8, layers: 2}\n"
    f"epochs: 2\n{QUICK}start: teacher\nprune: {{strength: 1, epochs: 2}}\n",
}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    return manifest_corpus(tmp_path_factory.mktemp("recordings"))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _own_cache(home, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))


def write(folder, **recipes):
    folder.mkdir(exist_ok=True)
    for name, text in recipes.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def lab(recordings, run, *recipes, word="sweep", more=()):
    return main(
        ["lab", *map(str, recipes), "--data", str(recordings), "--word", word, "--runs", str(run),
         *more]
    )  # fmt: skip


@pytest.fixture(scope="module")
def done(recordings, home):
    """A run folder in which all the recipes have been run."""
    recipes = write(home / "recipes", **RECIPES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        assert lab(recordings, home / "run", recipes) == 0
    return home / "run"


def results(run):
    return {row["recipe"]: row for row in json.loads((run / "table.json").read_text())}


def test_every_kind_of_recipe_gives_a_table_row(done):
    rows = results(done)
    assert set(rows) == set(RECIPES)
    assert [run["seed"] for run in rows["teacher"]["runs"]] == [0, 1]
    teacher, student, int8 = (rows[name]["runs"][0] for name in ("teacher", "student", "int8"))
    assert teacher["clip_metric"] < 0.01  # the tones are easy
    assert student["clip_metric"] < 0.05  # by chance it would be 0.5
    assert student["parameters"] < teacher["parameters"] / 2
    assert int8["file_bytes"] == (done / "int8-0/model.safetensors").stat().st_size
    assert int8["weight_bytes"] < student["weight_bytes"] / 2
    assert rows["student"]["fewer_macs"] == pytest.approx(teacher["macs"] / student["macs"])
    assert rows["pruned"]["runs"][0]["share_cut_off"] >= 0
    assert rows["pruned"]["runs"][0]["epochs"] == 4
    for row in rows.values():
        for run in row["runs"]:
            exact = [link for link in run["chain"] if link["exact"]]
            assert len(exact) == (3 if running_step() == "C" else 2)
            assert all(link["difference"] <= 1e-4 and not link["decisions"] for link in exact)
            assert run["cpu_ms"] > 0
            assert run["stream"]["takes"] > 0
    assert "clip_metric_file" in rows["dynamic"]["runs"][0]
    text = (done / "table.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert sum(line.startswith("| int8: int8 |") for line in lines) == 1
    columns = {line.count("|") for line in text.split("\n\n")[0].splitlines()}
    assert len(columns) == 1


def test_its_models_work_in_the_detector(done):
    model = read_model(done / "int8-0/model.safetensors")
    model.self_test()
    assert Detector([model]).push(torch.zeros(16000, dtype=torch.int16).numpy()) == []


def test_finished_recipes_are_not_run_again(done, recordings, home, capsys, monkeypatch):
    def refuse(*_):
        raise AssertionError("it was run again")

    monkeypatch.setattr("wakeword_daemon.lab.runner.Laboratory._run", refuse)
    again = ["--output", str(home / "again")]
    assert lab(recordings, done, home / "recipes", more=again) == 0
    assert "student-0:" in capsys.readouterr().out
    assert results(home / "again") == results(done)
    assert lab(recordings, done, home / "recipes", more=[*again, "--json"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    runs = [run for row in results(done).values() for run in row["runs"]]
    assert sorted(row["name"] for row in told) == sorted(
        f"{name}-{seed}" for name in RECIPES for seed in range(1 + (name == "teacher"))
    )
    assert {row["clip_metric"] for row in told} == {run["clip_metric"] for run in runs}


def test_measuring_again_trains_nothing(done, recordings, home, monkeypatch):
    def refuse(*_):
        raise AssertionError("it was trained again")

    def figures(folder):
        told = ("recipe", "seed", "clip_metric", "file_bytes", "chain", "epochs", "stream")
        rows = results(folder).values()
        return [{key: run[key] for key in told} for row in rows for run in row["runs"]]

    monkeypatch.setattr("wakeword_daemon.lab.fitting.Fitter._fit_epoch", refuse)
    more = ["--measure-again", "--output", str(home / "measured")]
    assert lab(recordings, done, home / "recipes", more=more) == 0
    assert figures(home / "measured") == figures(done)


def test_a_changed_recipe_is_refused_in_the_same_run_folder(done, recordings, tmp_path, capsys):
    changed = write(tmp_path / "r", teacher=RECIPES["teacher"].replace("epochs: 3", "epochs: 4"))
    assert lab(recordings, done, changed) == 1
    assert "teacher-0 has a run of another recipe, word or split" in capsys.readouterr().err
    retitled = write(tmp_path / "t", teacher=RECIPES["teacher"].replace("the teacher", "another"))
    assert lab(recordings, done, retitled, more=["--output", str(tmp_path)]) == 0


def test_a_split_of_another_folder_is_refused(done, recordings, tmp_path, home, capsys):
    run = tmp_path / "run"
    run.mkdir()
    content = json.loads((done / "split.json").read_text())
    content["order"].pop()
    (run / "split.json").write_text(json.dumps(content))
    assert lab(recordings, run, home / "recipes") == 1
    assert "split.json does not fit" in capsys.readouterr().err


def test_without_a_teacher_there_is_a_table_and_no_picture(recordings, tmp_path):
    recipe = write(tmp_path / "r", alone=f"title: alone\narchitecture: {SMALL}\nepochs: 1\n{QUICK}")
    assert lab(recordings, tmp_path / "run", recipe) == 0
    assert "| alone: alone |" in (tmp_path / "run/table.md").read_text()
    assert results(tmp_path / "run")["alone"]["times_teacher"] is None
    assert not list((tmp_path / "run").glob("*.svg"))


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (RECIPES["student"], "recipe r needs teacher, which is neither a recipe given here"),
        (
            "title: x\narchitecture: {kernel_frames: 99}",
            "r.yaml: a kernel of 99 frames needs more than a clip's 98",
        ),
        ("title: x\nbatch_size: 1000\nepochs: 1", "but there are only"),
    ],
)
def test_recipes_that_cannot_run_are_refused_before_any_runs(
    recipe, message, recordings, tmp_path, capsys
):
    recipes = write(tmp_path / "r", r=recipe)
    assert lab(recordings, tmp_path / "run", recipes) in (1, 2)
    assert message in capsys.readouterr().err
    assert not list((tmp_path / "run").glob("r-*"))


def test_starting_weights_of_another_shape_are_refused(done, recordings, tmp_path, capsys):
    wrong = RECIPES["dynamic"].replace("hidden: 8", "hidden: 9")
    assert lab(recordings, done, write(tmp_path / "r", wrong=wrong)) == 2
    told = "it starts from student, of another architecture: hidden 8, not 9\n"
    assert told in capsys.readouterr().err
    larger = RECIPES["pruned"].replace("hidden: 9", "hidden: 13")
    assert lab(recordings, done, write(tmp_path / "p", larger=larger)) == 1
    assert "pruning cannot change hidden from 12 to 13" in capsys.readouterr().err


def test_a_model_with_a_longer_window_can_be_a_start(done, recordings, tmp_path):
    model = read_model(done / "student-0/model.safetensors")
    card = replace(model.card, architecture=replace(model.card.architecture, steps=40))
    network = CRNN(card.architecture, card.features, model.weights)
    quiet = np.full((60, card.features.mels), -9.0, np.float32)
    file = tmp_path / "far.safetensors"
    save_model(file, Model(card, model.weights, SelfTest.record(network, quiet)))
    again = f"title: again\narchitecture: {SMALL}\nepochs: 0\nstart: {file}\n"
    assert lab(recordings, tmp_path / "run", write(tmp_path / "r", again=again)) == 0
    student = json.loads((done / "student-0/result.json").read_text())
    metric = results(tmp_path / "run")["again"]["clip_metric"]
    assert metric == pytest.approx(student["clip_metric"])


def test_a_teacher_of_another_word_is_refused(recordings, tmp_path, capsys):
    model = ROOT / "models/jarvis.safetensors"
    recipe = RECIPES["student"].replace("[teacher]", f"[{model}]")
    assert lab(recordings, tmp_path / "run", write(tmp_path / "r", r=recipe)) == 1
    assert "is a model of 'jarvis', not of 'sweep'" in capsys.readouterr().err


def test_an_unknown_word_is_refused(recordings, home, tmp_path, capsys):
    assert lab(recordings, tmp_path, home / "recipes", word="hello") == 1
    assert "has no recordings of 'hello'" in capsys.readouterr().err


def torchrun(processes, recordings, run, recipes, home):
    return subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node",
         str(processes), "-m", "wakeword_daemon", "lab", str(recipes), "--data", str(recordings),
         "--word", "sweep", "--runs", str(run)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT),
             "XDG_CACHE_HOME": str(home / "cache")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def losses(run):
    return [json.loads(line)["loss"] for line in (run / "losses.jsonl").read_text().splitlines()]


def test_two_processes_reach_the_same_loss_as_one(done, recordings, tmp_path, home):
    recipes = write(tmp_path / "r", **{name: RECIPES[name] for name in ("teacher", "student")})
    both = torchrun(2, recordings, tmp_path / "run", recipes, home)
    assert both.returncode == 0, both.stderr
    for name in ("teacher-0", "teacher-1", "student-0"):
        assert losses(tmp_path / "run" / name) == pytest.approx(losses(done / name), rel=0.02)
        assert both.stdout.count(f"{name}: ") == 1  # one of the two speaks
    first = losses(done / "teacher-0")[0], losses(tmp_path / "run/teacher-0")[0]
    assert first[0] == pytest.approx(first[1], rel=1e-3)
