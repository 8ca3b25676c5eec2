"""One network of a set: what identifies it, where it goes, and training it into its file."""

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from icc_cli.data import Dataset
from icc_cli.errors import UsageError
from icc_cli.files import atomic_path, write_atomically
from icc_cli.models import ModelSpec, build
from icc_cli.training.grid import DEFAULTS, Grid, Hparams, Recipe
from icc_cli.training.loop import DeviceData, Trainer, seeded

BUILT_IN_DEFAULTS = {"dropout": 0.0, "width": 1.0, "depth": 1.0}
SHORT = {"batch_size": "bs", "weight_decay": "wd", "augmentation": "aug", "dropout": "drop", "width": "w", "depth": "d"}
SECONDS_BETWEEN_SAVES = 30.0


@dataclass(frozen=True)
class Task:
    """One network to train. `data` is what the checkpoint says of the data, digest and normalisation included."""

    name: str
    folder: Path
    model: ModelSpec
    hparams: Hparams
    recipe: Recipe
    data: dict[str, Any]
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
    def settings(self) -> dict[str, Any]:
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
    if len({task.name for task in found}) < len(found):
        raise UsageError("two configurations of the grid have the same file name.", "Remove the repeated values.")
    return found


def _data_arguments(spec: str, dataset: Dataset) -> dict[str, Any]:
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


def finished(task: Task) -> Result | None:
    """What an earlier run left of `task`, or None. UsageError when its file holds another configuration."""
    for path, read in ((task.path, _read_checkpoint), (task.divergence, _read_json)):
        if not path.exists():
            continue
        try:
            content = read(path)
        except Exception as error:
            raise UsageError(
                f"{path} is there, and is not a checkpoint of this set: {error}.".splitlines()[0],
                "Choose another folder with -o, or train it again with --force.",
            ) from error
        if content.get("content_key") != task.key:
            raise UsageError(
                f"{path} was trained with other data or settings (epochs, scale, normalisation).",
                "Choose another folder with -o, or train it again with --force.",
            )
        training = content["training"]
        found = path if path == task.path else None
        return Result(found, training["end"], content["epoch"], dict(content["metrics"]), training["fitted"])
    return None


def run(task: Task, data: DeviceData, on_epoch: Callable[[Trainer], None] = lambda trainer: None) -> Result:
    """Train `task`, going on from where it was interrupted, and write its checkpoint (or its divergence)."""
    device = data.train.labels.device
    seeded(int(task.hparams["seed"]), 0, device)
    network = build(task.model).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    _check_head(network, data)
    trainer = Trainer(network, data, task.hparams, task.recipe, task.bfloat16)
    _resume(trainer, task)
    last_save = time.monotonic()

    def save_epoch() -> None:
        if trainer.progress.epoch in task.save_epochs and not trainer.progress.diverged:
            _write(task.epoch_path(trainer.progress.epoch), _content(task, trainer, trainer.metrics()), trainer)

    def after_epoch(trainer: Trainer) -> None:
        nonlocal last_save
        save_epoch()
        if not trainer.finished and time.monotonic() - last_save >= task.seconds_between_saves:
            with atomic_path(task.unfinished) as temporary:
                torch.save({"content_key": task.key, **trainer.state()}, temporary)
            last_save = time.monotonic()
        on_epoch(trainer)

    if trainer.progress.epoch == 0:
        save_epoch()
    trainer.run(after_epoch)
    metrics = trainer.metrics()
    if not math.isfinite(metrics["train_loss"]):
        # Batch norm's running statistics may overflow although the loss of the last batches did not.
        trainer.progress.diverged = True
    content = _content(task, trainer, metrics)
    training = content["training"]
    if trainer.progress.diverged:
        content["metrics"] = {name: value if math.isfinite(value) else None for name, value in metrics.items()}
        write_atomically(task.divergence, json.dumps(content, indent=1) + "\n")
    else:
        _write(task.path, content, trainer)
    task.unfinished.unlink(missing_ok=True)
    path = None if trainer.progress.diverged else task.path
    return Result(path, training["end"], trainer.progress.epoch, content["metrics"], training["fitted"])


def _check_head(network: torch.nn.Module, data: DeviceData) -> None:
    classes = int(data.train.labels.max()) + 1
    network.eval()
    try:
        with torch.no_grad():
            logits = network(data.normalised(data.train.images[:2]))
    except Exception as error:
        raise UsageError(f"the model does not take these images: {str(error).splitlines()[0]}") from error
    if not isinstance(logits, torch.Tensor) or logits.ndim != 2 or logits.shape[1] < classes:
        shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise UsageError(f"the model gives {shape} for 2 images of {classes} classes.", "Set its num_classes.")


def _resume(trainer: Trainer, task: Task) -> None:
    """Go on from the state that an interrupted run saved, if it is this very training's."""
    if not task.unfinished.exists():
        return
    try:
        state = torch.load(task.unfinished, map_location=trainer.device, weights_only=True)
    except Exception:
        return
    if state.get("content_key") == task.key:
        trainer.restore(state)


def _content(task: Task, trainer: Trainer, metrics: dict[str, float]) -> dict[str, Any]:
    """What a checkpoint says besides its weights; plain data."""
    fitted = not trainer.progress.diverged and metrics["train_accuracy"] >= task.recipe.fitted
    return {
        "format": "icc-checkpoint",
        "version": 1,
        "model": asdict(task.model),
        "data": task.data,
        "hparams": task.hparams,
        "metrics": metrics,
        "epoch": trainer.progress.epoch,
        "training": {"end": trainer.end, "fitted": fitted, **task.settings},
        "content_key": task.key,
    }


def _write(path: Path, content: dict[str, Any], trainer: Trainer) -> None:
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in trainer.network.state_dict().items()}
    with atomic_path(path) as temporary:
        torch.save({**content, "state_dict": state}, temporary)


def _read_checkpoint(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    return content


def _read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def forget(task: Task) -> None:
    """Remove what earlier runs left of `task`."""
    for path in (task.path, task.divergence, task.unfinished):
        path.unlink(missing_ok=True)
