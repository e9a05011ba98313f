"""Recipes: a YAML file declares one experiment of the laboratory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from wakeword_daemon import settingsfile
from wakeword_daemon.engine import settings
from wakeword_daemon.errors import ConfigError, ModelError, TrainingError
from wakeword_daemon.lab.clips import architecture_of_clips

SUFFIX = ".yaml"

_Count = Annotated[int, Meta(ge=1, le=1000, description="a whole number from 1 to 1000")]
_Name = Annotated[str, Meta(min_length=1)]


class RecipeArchitecture(msgspec.Struct, frozen=True):
    """The shape of the network; the defaults are the teacher's.

    The attention always covers the steps of a clip.
    """

    channels: _Count = 8
    kernel_mels: _Count = 5
    kernel_frames: _Count = 20
    stride_mels: _Count = 2
    stride_frames: _Count = 8
    hidden: _Count = 64
    layers: _Count = 2
    attention: _Count = 64


class Distillation(msgspec.Struct, frozen=True):
    """How to learn from teachers."""

    teachers: Annotated[
        list[_Name],
        Meta(
            min_length=1,
            description="a list of recipes, of runs as teacher-0, or of paths to model files",
        ),
    ]
    temperature: Annotated[float, Meta(ge=1, le=20, description="a temperature from 1 to 20")] = 3.0
    weight: Annotated[
        float, Meta(ge=0, le=1, description="the soft labels' weight from 0 to 1")
    ] = 0.9
    attention: Annotated[
        float, Meta(ge=0, le=100, description="the attention loss's weight from 0 to 100")
    ] = 0.0


class Pruning(msgspec.Struct, frozen=True):
    """How to prune: fit the start again with a group penalty, then cut it to the architecture."""

    strength: Annotated[float, Meta(gt=0, le=10, description="the penalty, above 0 and up to 10")]
    epochs: _Count


class Recipe(msgspec.Struct, frozen=True):
    """One experiment."""

    title: Annotated[str, Meta(min_length=1, description="a title for the table")]
    architecture: RecipeArchitecture = RecipeArchitecture()
    seeds: Annotated[
        list[Annotated[int, Meta(ge=0)]],
        Meta(min_length=1, description="a list of whole numbers, one run each"),
    ] = msgspec.field(default_factory=lambda: [0])
    epochs: Annotated[
        int, Meta(ge=0, le=2000, description="a whole number of epochs from 0 to 2000")
    ] = 40
    batch_size: _Count = 128
    rate: Annotated[float, Meta(gt=0, le=1, description="a learning rate above 0 and up to 1")] = (
        4e-3
    )
    averaging: Annotated[
        float, Meta(ge=0, lt=1, description="the moving average's decay from 0 to below 1")
    ] = 0.998
    start: Annotated[
        _Name | None,
        Meta(
            description="the recipe whose weights to start from (those of the same seed, or else of"
            " its first), or null"
        ),
    ] = None
    prune: Pruning | None = None
    distil: Distillation | None = None
    quantize: Annotated[
        Literal["dynamic", "int8"] | None,
        Meta(
            description="dynamic for torch's dynamic quantization, int8 for ours (with"
            " quantization-aware training), or null"
        ),
    ] = None

    def shape(self) -> settings.Architecture:
        """Return the architecture in the engine's form."""
        return architecture_of_clips(**msgspec.structs.asdict(self.architecture))

    def needs(self) -> list[str]:
        """Return the recipes, runs or files that this one starts from or learns from."""
        taught = self.distil.teachers if self.distil else []
        return ([self.start] if self.start else []) + taught


def read_recipe(path: Path) -> Recipe:
    """Read and check one recipe.

    Raises:
        ConfigError: there is a mistake; names the file, the line, the key and what is allowed.

    """
    recipe = settingsfile.load(path, Recipe, "recipe")
    try:
        recipe.shape()
    except (ModelError, TrainingError) as error:
        raise ConfigError(f"{path}: {error}") from None
    if recipe.prune and not recipe.start:
        raise ConfigError(f"{path}: prune needs start, the recipe whose network is pruned")
    if not recipe.epochs and not recipe.start:
        raise ConfigError(f"{path}: epochs is 0, but there is no start to take weights from")
    if recipe.quantize == "dynamic" and recipe.epochs:
        raise ConfigError(f"{path}: dynamic quantization trains nothing; set epochs: 0")
    return recipe


def find_recipes(paths: list[Path]) -> dict[str, Recipe]:
    """Read recipes and folders of recipes; return them by name, each after those that it needs.

    Raises:
        ConfigError: a file is not a recipe, two have the same name, or they need each other in a
            circle.

    """
    files: list[Path] = []
    for path in paths:
        found = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path]
        if not found:
            raise ConfigError(f"{path} has no recipes, which are files ending in {SUFFIX}")
        files += [file for file in found if file not in files]
    recipes: dict[str, Recipe] = {}
    for file in files:
        if file.stem in recipes:
            raise ConfigError(f"two recipes are called {file.stem}")
        recipes[file.stem] = read_recipe(file)
    ordered: dict[str, Recipe] = {}
    for name in recipes:
        _place(name, recipes, ordered, ())
    return ordered


def _place(
    name: str, recipes: dict[str, Recipe], ordered: dict[str, Recipe], above: tuple[str, ...]
) -> None:
    if name in above:
        raise ConfigError(f"recipes need each other in a circle: {' → '.join((*above, name))}")
    if name in ordered:
        return
    for needed in recipes[name].needs():
        if needed_recipe(needed) in recipes:
            _place(needed_recipe(needed), recipes, ordered, (*above, name))
    ordered[name] = recipes[name]


def needed_recipe(reference: str) -> str:
    """Return the name of the recipe in a reference to a recipe or to one of its runs."""
    name, _, seed = reference.rpartition("-")
    return name if name and seed.isdecimal() else reference
