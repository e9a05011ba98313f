"""Runs recipes, each run in its own folder; finished runs are not repeated."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from wakeword_daemon.engine.modelfile import Model, read_model
from wakeword_daemon.engine.settings import Architecture, FeatureSettings
from wakeword_daemon.errors import ConfigError, TrainingError
from wakeword_daemon.lab.answers import Teachers
from wakeword_daemon.lab.clips import Clips, over_a_clip, read_clips
from wakeword_daemon.lab.fitting import Fitter, Schedule, TrainingSetup
from wakeword_daemon.lab.measuring import EvaluationSet, measure_model
from wakeword_daemon.lab.models import clip_network, describe, read_teacher, write_model
from wakeword_daemon.lab.objective import Objective
from wakeword_daemon.lab.pruning import check_cut, cut, shrinker
from wakeword_daemon.lab.quantization import (
    Stored,
    dynamic,
    fake_quantized,
    int8_rows,
    weight_bytes,
)
from wakeword_daemon.lab.recipe import Recipe
from wakeword_daemon.lab.split import Split, split
from wakeword_daemon.lab.views import Views
from wakeword_daemon.storage import write_atomically
from wakeword_daemon.training.data.corpus import Corpus, read_corpus
from wakeword_daemon.training.fit.distributed import Processes
from wakeword_daemon.training.fit.export import folded_weights
from wakeword_daemon.training.fit.network import TorchCRNN
from wakeword_daemon.training.runfolder import held

logger = logging.getLogger(__name__)

MODEL = "model.safetensors"
RESULT = "result.json"
BEGAN = "recipe.json"
"""The file with a run's recipe; a run of another recipe in its folder is refused."""


@dataclass(frozen=True, slots=True)
class LabJob:
    """What the laboratory works on, and where.

    Attributes:
        word: the word's name in the corpus.
        data: folder of recordings.
        folder: folder for the split, the runs and their results.
        cache: folder for what is computed once.
        seed: seed of the split.

    """

    word: str
    data: Path
    folder: Path
    cache: Path
    seed: int = 0


class Laboratory:
    """One word's experiments.

    Raises:
        TrainingError: the recordings or the split cannot be used.

    """

    def __init__(self, job: LabJob, processes: Processes) -> None:
        torch.set_num_threads(1)  # as fast for networks of this size, and reproducible
        self._job = job
        self._processes = processes
        self._features = FeatureSettings()
        with processes.first_alone():  # it fills the cache, the others read it
            self._corpus: Corpus = read_corpus(job.data)
            self._split: Split = split(self._corpus, job.folder / "split.json", job.seed)
            self._clips: Clips = read_clips(
                self._corpus, self._split, job.word, self._features, job.cache
            )
        self._views = Views(self._clips)
        self._evaluation_set: EvaluationSet | None = None

    def run(
        self,
        recipes: Mapping[str, Recipe],
        on_done: Callable[[str, dict[str, Any]], None],
        *,
        again: bool = False,
    ) -> dict[str, list[dict[str, Any]]]:
        """Run the recipes that have no result yet.

        Args:
            recipes: recipes by name, each after those that it needs.
            on_done: called with the name and the result of every run, finished now or before.
            again: whether to measure finished runs again; nothing is trained again.

        Returns:
            the results of each recipe's runs.

        Raises:
            ConfigError: a recipe cannot be run; nothing has been run then.
            TrainingError: a recipe cannot be run, or another run is working in the folder.

        """
        with held(self._job.folder, self._processes):
            for name, recipe in recipes.items():
                self._check(name, recipe, recipes)
            results: dict[str, list[dict[str, Any]]] = {name: [] for name in recipes}
            for name, recipe in recipes.items():
                for seed in recipe.seeds:
                    finished = None if again else self._finished(name, seed)
                    result = finished or self._run(name, recipe, seed)
                    results[name].append(result)
                    if self._processes.first:
                        on_done(f"{name}-{seed}", result)
            return results

    def _check(self, name: str, recipe: Recipe, recipes: Mapping[str, Recipe]) -> None:
        """Refuse a recipe that would fail after hours of training."""
        a = recipe.shape()
        a.bands(self._features)
        self._processes.check(recipe.batch_size)
        if recipe.batch_size > len(self._views):
            raise TrainingError(
                f"recipe {name}: a batch needs {recipe.batch_size} clips, but there are only "
                f"{len(self._views)}"
            )
        for needed in recipe.needs():
            self._shapes(needed, recipes, name)
        for seed in recipe.seeds:
            self._refuse_another(name, recipe, seed)
        if recipe.start:
            began = self._shapes(recipe.start, recipes, name)[0]
            if recipe.prune:
                check_cut(began, a)
            elif began != a:
                raise ConfigError(
                    f"recipe {name}: it starts from {recipe.start}, of another architecture: "
                    f"{_differences(began, a)}"
                )
        if recipe.distil:
            taught = [s for t in recipe.distil.teachers for s in self._shapes(t, recipes, name)]
            if len({(s.kernel_frames, s.stride_frames) for s in taught}) > 1:
                raise ConfigError(
                    f"recipe {name}: its teachers' steps differ, so their answers have no mean"
                )

    def _shapes(
        self, reference: str, recipes: Mapping[str, Recipe], user: str
    ) -> list[Architecture]:
        """Return the architectures that a reference means, including those of runs to come."""
        name, _, seed = reference.rpartition("-")
        if reference in recipes:
            return [recipes[reference].shape()]
        if name in recipes and seed.isdecimal() and int(seed) in recipes[name].seeds:
            return [recipes[name].shape()]
        return [over_a_clip(model.card.architecture) for model in self._models(reference, user)]

    def _models(self, reference: str, user: str) -> list[Model]:
        """Return the models that a reference means: of a recipe, of one run, or at a path."""
        runs = self._job.folder
        if Path(reference).is_file():
            paths = [Path(reference)]
        else:
            single = re.escape(reference)
            paths = [
                path / MODEL
                for path in sorted(runs.iterdir())
                if re.fullmatch(rf"{single}(-\d+)?", path.name) and (path / MODEL).exists()
            ]
        if not paths:
            raise ConfigError(
                f"recipe {user} needs {reference}, which is neither a recipe given here, nor a "
                f"finished run in {runs}, nor a model file"
            )
        return [read_teacher(path, self._job.word, self._features) for path in paths]

    def _finished(self, name: str, seed: int) -> dict[str, Any] | None:
        file = self._job.folder / f"{name}-{seed}" / RESULT
        if not file.exists():
            return None
        result: dict[str, Any] = json.loads(file.read_text())
        return result

    def _refuse_another(self, name: str, recipe: Recipe, seed: int) -> None:
        """Refuse a folder with a run of another recipe."""
        folder = self._job.folder / f"{name}-{seed}"
        began = folder / BEGAN
        if began.exists() and json.loads(began.read_text()) != self._identity(recipe):
            raise TrainingError(
                f"{folder} has a run of another recipe, word or split; remove it, or choose "
                "another folder"
            )

    def _identity(self, recipe: Recipe) -> dict[str, Any]:
        plain = msgspec.to_builtins(recipe)
        for field in ("title", "seeds"):  # they do not change a run
            del plain[field]
        return {
            "recipe": plain,
            "word": self._job.word,
            "clips": self._clips.key,
            "split_seed": self._split.seed,
        }

    def _run(self, name: str, recipe: Recipe, seed: int) -> dict[str, Any]:
        folder = self._job.folder / f"{name}-{seed}"
        if self._processes.first:
            began = json.dumps(self._identity(recipe), indent=1)
            write_atomically(folder / BEGAN, began.encode())
        teachers = self._teachers(name, recipe)
        network, pruned = self._beginning(name, recipe, seed, folder, teachers)
        network, seconds = self._fit(network, recipe, seed, folder, teachers)
        if self._processes.first:
            result = {
                "recipe": name,
                "title": recipe.title,
                "seed": seed,
                "epochs": recipe.epochs + (recipe.prune.epochs if recipe.prune else 0),
                "seconds": seconds + pruned.pop("seconds", 0.0),
                **pruned,
                **self._measure(network, recipe, folder),
            }
            write_atomically(folder / RESULT, json.dumps(result, indent=1).encode())
        self._processes.wait()
        finished: dict[str, Any] = json.loads((folder / RESULT).read_text())
        return finished

    def _teachers(self, name: str, recipe: Recipe) -> Teachers | None:
        if recipe.distil is None:
            return None
        models = [m for t in recipe.distil.teachers for m in self._models(t, name)]
        key = "-".join(m.card.checksum[:8] for m in models)
        folder = self._job.folder / "soft-labels" / key
        return Teachers([clip_network(m) for m in models], self._views, folder)

    def _beginning(
        self, name: str, recipe: Recipe, seed: int, folder: Path, teachers: Teachers | None
    ) -> tuple[TorchCRNN, dict[str, float]]:
        """Return the network that a run begins with, and the figures of its pruning."""
        torch.manual_seed(seed)
        if recipe.start is None:
            return TorchCRNN(recipe.shape(), self._features), {}
        own = self._job.folder / f"{recipe.start}-{seed}" / MODEL
        model = read_model(own) if own.exists() else self._models(recipe.start, name)[0]
        network = clip_network(model)
        if recipe.prune is None:
            return network, {}
        setup = replace(self._setup(recipe, teachers), shrink=shrinker(recipe.prune.strength))
        schedule = replace(_schedule(recipe, seed), epochs=recipe.prune.epochs)
        fitter = Fitter(network, setup, schedule, folder / "shrinking", self._processes)
        network, seconds = fitter.run()
        small, lost = cut(network, recipe.shape())
        return small, {"seconds": seconds, "share_cut_off": lost}

    def _fit(
        self, network: TorchCRNN, recipe: Recipe, seed: int, folder: Path, teachers: Teachers | None
    ) -> tuple[TorchCRNN, float]:
        if not recipe.epochs:
            return network, 0.0
        setup = self._setup(recipe, teachers)
        return Fitter(network, setup, _schedule(recipe, seed), folder, self._processes).run()

    def _setup(self, recipe: Recipe, teachers: Teachers | None) -> TrainingSetup:
        d = recipe.distil
        objective = Objective(d.temperature, d.weight, d.attention) if d else Objective()
        fake_quantize: Callable[[TorchCRNN], AbstractContextManager[None]] | None = None
        if recipe.quantize == "int8":
            fake_quantize = fake_quantized
        return TrainingSetup(self._views, objective, teachers, fake_quantize)

    def _measure(self, network: TorchCRNN, recipe: Recipe, folder: Path) -> dict[str, Any]:
        if self._evaluation_set is None:
            word = self._job.word
            self._evaluation_set = EvaluationSet.from_split(
                self._corpus, self._split, self._clips, word
            )
        stored: Stored = dict(folded_weights(network))
        quantized: Callable[[Tensor], Tensor] | None = None
        if recipe.quantize == "int8":
            stored = int8_rows(network)
        elif recipe.quantize == "dynamic":
            quantized, stored = dynamic(network)
        card = describe(self._job.word, network, self._evaluation_set.threshold(network))
        spoken = self._clips.mean_of_word()
        model = write_model(folder / MODEL, stored, card, spoken)
        unrounded = network if recipe.quantize else None
        figures = measure_model(
            self._evaluation_set, folder / MODEL, model, unrounded=unrounded, dynamic=quantized
        )
        return {"weight_bytes": weight_bytes(stored), **figures}


def _differences(found: Architecture, wanted: Architecture) -> str:
    """Return the numbers in which two architectures differ, as text."""
    numbers = {name: (getattr(found, name), getattr(wanted, name)) for name in found.__slots__}
    return ", ".join(f"{name} {a}, not {b}" for name, (a, b) in numbers.items() if a != b)


def _schedule(recipe: Recipe, seed: int) -> Schedule:
    return Schedule(
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        rate=recipe.rate,
        averaging=recipe.averaging,
        seed=seed,
    )
