"""The networks of a set: what identifies each, where it goes, and what becomes of it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from icc_cli.data import Dataset
from icc_cli.errors import UsageError
from icc_cli.models import ModelSpec
from icc_cli.shapes import JsonObject
from icc_cli.training.grid import DEFAULTS, Grid, Hparams, Recipe

BUILT_IN_DEFAULTS = {"dropout": 0.0, "width": 1.0, "depth": 1.0}
SHORT = {"batch_size": "bs", "weight_decay": "wd", "augmentation": "aug", "dropout": "drop", "width": "w", "depth": "d"}
SECONDS_BETWEEN_SAVES = 30.0
LONGEST_NAME = 200
"""Bytes of a checkpoint's name, which gets suffixes."""


@dataclass(frozen=True)
class Task:
    """One network to train. `data` is what the checkpoint says of the data, digest and normalisation included."""

    name: str
    folder: Path
    model: ModelSpec
    hparams: Hparams
    recipe: Recipe
    data: JsonObject
    bfloat16: bool = False
    save_epochs: tuple[int, ...] = ()
    seconds_between_saves: float = SECONDS_BETWEEN_SAVES

    @property
    def key(self) -> str:
        """sha256 of everything that changes the numbers."""
        content = {
            "model": asdict(self.model),
            "hparams": self.hparams,
            "training": self.settings,
            "data": self.data,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()

    @property
    def settings(self) -> JsonObject:
        """The recipe as plain data, and the precision."""
        recipe = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self.recipe).items()}
        recipe["fitted_accuracy"] = recipe.pop("fitted")
        return {**recipe, "precision": "bfloat16" if self.bfloat16 else "float32"}

    @property
    def path(self) -> Path:
        return self.folder / f"{self.name}.pt"

    @property
    def divergence(self) -> Path:
        """Written in the checkpoint's stead when the loss stops being finite."""
        return self.folder / f"{self.name}.diverged.json"

    @property
    def unfinished(self) -> Path:
        return self.folder / f".{self.name}.resume"

    def epoch_path(self, epoch: int) -> Path:
        """Where `--save-epochs` goes: a folder beside the set's, which then holds one checkpoint per network."""
        folder = self.folder.resolve()
        return folder.with_name(f"{folder.name}-epochs") / f"{self.name}-epoch{epoch:03d}.pt"


@dataclass(frozen=True)
class Result:
    """What became of one network: its checkpoint (none when it diverged), how its training ended, its metrics."""

    path: Path | None
    end: str
    epoch: int
    metrics: dict[str, float | None]
    fitted: bool


def tasks(
    grid: Grid,
    dataset: Dataset,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    folder: Path,
    bfloat16: bool = False,
    save_epochs: tuple[int, ...] = (),
) -> list[Task]:
    """The grid's networks on `dataset`, each with a file name of its own."""
    data = {**dataset.described, "digest": dataset.digest, "mean": list(mean), "std": list(std)}
    found = []
    for configuration in grid.configurations:
        built_in = grid.model in ("vgg", "wrn")
        given = {**(BUILT_IN_DEFAULTS if built_in else {}), **configuration}
        hparams = {key: float(value) if key in BUILT_IN_DEFAULTS else value for key, value in given.items()}
        args = {key: value for key, value in hparams.items() if key not in DEFAULTS and key != "seed"}
        model = ModelSpec(grid.model, {**_data_arguments(grid.model, dataset), **grid.model_args, **args})
        recorded = {**hparams, "seed": hparams.pop("seed")}
        name, recipe = _name(grid.model, recorded), grid.recipe_of(recorded)
        found.append(Task(name, folder, model, recorded, recipe, data, bfloat16, save_epochs))
    longest = max((task.name for task in found), key=len)
    if len(longest.encode()) > LONGEST_NAME:
        raise UsageError(
            f"a file cannot be called {longest[:60]}...", "Give shorter values to the grid's hyperparameters."
        )
    if len({task.name for task in found}) < len(found):
        raise UsageError("two configurations of the grid have the same file name.", "Remove the repeated values.")
    return found


def _data_arguments(spec: str, dataset: Dataset) -> JsonObject:
    if spec in ("vgg", "wrn"):
        return {
            "num_classes": dataset.num_classes,
            "in_channels": dataset.image_shape[2],
            "input_size": dataset.image_shape[0],
        }
    library = spec.partition(":")[0] in ("torchvision", "timm")
    return {"num_classes": dataset.num_classes} if library else {}


def _name(model: str, hparams: Mapping[str, Any]) -> str:
    parts = [f"{SHORT.get(key, key)}{_text(value)}" for key, value in hparams.items()]
    stem = Path(model.rpartition(":")[0]).stem + "_" + model.rpartition(":")[2] if ":" in model else model
    return "-".join([stem, *parts])


def _text(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value).lower()
    return "".join(c if c.isalnum() or c in ".+_" else "_" for c in text.replace("e-0", "e-").replace("-", "m"))
