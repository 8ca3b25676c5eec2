"""Training one network into its file, and what an earlier run left of it."""

import json
import math
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch

from icc_cli.errors import UsageError
from icc_cli.files import atomic_path, check_output, write_atomically
from icc_cli.models import build
from icc_cli.shapes import (
    JsonObject,
    anything,
    fields,
    finite,
    fits,
    items,
    mapping,
    natural,
    number,
    optional,
    parsed,
    require,
    table,
    text,
    truth,
    unknown,
)
from icc_cli.training.loop import DeviceData, Trainer, seeded
from icc_cli.training.task import Result, Task

AGAIN = "Choose another folder with -o, or train it again with --force."
_LEFT = fields(
    {
        "training": fields({"end": text, "fitted": truth}, {}, anything),
        "epoch": natural,
        "metrics": mapping(optional(number)),
    },
    {"content_key": text},
    anything,
)
"""What a finished training leaves: a checkpoint, or what it says of a divergence."""
_PROGRESS = {
    "epoch": natural,
    "train_loss": number,
    "seconds": finite,
    "diverged": truth,
    "stopped": truth,
    "history": items(number),
}
_STATE = fields(
    {"content_key": text, "network": table, "optimizer": table, "progress": fields({}, _PROGRESS, unknown(*_PROGRESS))},
    {},
    anything,
)
"""What an interrupted training leaves to go on from."""


def finished(task: Task) -> Result | None:
    """What an earlier run left of `task`, or None. UsageError when its file holds another configuration.

    What that run would have gone on from is removed, if it was killed before it could do so itself.
    """
    for path, read in ((task.path, _read_checkpoint), (task.divergence, _read_json)):
        check_output(path)
        if not path.exists():
            continue
        try:
            content = read(path)
        except Exception as error:
            raise UsageError(
                f"{path} is there, and is not a checkpoint of this set: {error}.".splitlines()[0], AGAIN
            ) from error
        require(_LEFT, content, path, AGAIN, UsageError)
        if content.get("content_key") != task.key:
            raise UsageError(f"{path} was trained with other data or settings (epochs, scale, normalisation).", AGAIN)
        task.unfinished.unlink(missing_ok=True)
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
            _save(task.unfinished, {"content_key": task.key, **trainer.state()})
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
        with warnings.catch_warnings(action="ignore"):  # of torch, of what is refused
            state = torch.load(task.unfinished, map_location=trainer.device, weights_only=True)
    except Exception:
        return
    if not fits(_STATE, state) or state["content_key"] != task.key:
        return
    try:
        trainer.restore(state)
    except (RuntimeError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"{task.unfinished} is damaged: training cannot go on from it.", AGAIN) from error


def _content(task: Task, trainer: Trainer, metrics: dict[str, float]) -> JsonObject:
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


def _write(path: Path, content: JsonObject, trainer: Trainer) -> None:
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in trainer.network.state_dict().items()}
    _save(path, {**content, "state_dict": state})


def _save(path: Path, content: JsonObject) -> None:
    # Through a stream of Python's: of torch's own, a full disk is an error that does not say so.
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        torch.save(content, stream)


def _read_checkpoint(path: Path) -> JsonObject:
    with warnings.catch_warnings(action="ignore"):  # of torch, of what is refused
        content: JsonObject = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    return content


def _read_json(path: Path) -> JsonObject:
    content: JsonObject = parsed(path.read_bytes(), path, AGAIN, UsageError)
    return content


def forget(task: Task) -> None:
    """Remove what earlier runs left of `task`."""
    for path in (task.path, task.divergence, task.unfinished):
        path.unlink(missing_ok=True)
