"""One network of a set, from its hyperparameters to its checkpoint file."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from icc_cli.cache import content_key
from icc_cli.data import Dataset, Split
from icc_cli.files import atomic_path
from icc_cli.models.spec import ModelSpec, build, parse
from icc_cli.training.grid import Grid
from icc_cli.training.loop import State, Tensors, evaluate, start, train

SECONDS_BETWEEN_SAVES = 60.0
PARTIAL_SUFFIX = ".partial"


@dataclass(frozen=True)
class Member:
    """A network to train: its hyperparameters, the set it belongs to, and where its checkpoint goes."""

    grid: Grid
    hparams: dict[str, Any]
    path: Path

    @property
    def partial(self) -> Path:
        """Where the state of an unfinished training is kept, hidden from every listing of checkpoints."""
        return self.path.with_name(f".{self.path.name}{PARTIAL_SUFFIX}")

    def key(self, data: Dataset) -> str:
        """sha256 of everything that determines the weights."""
        # What the other members vary is no part of this one.
        grid = {name: value for name, value in asdict(self.grid).items() if name not in ("axes", "exclude", "data")}
        return content_key(grid=grid, hparams=self.hparams, data=data.digest)

    def spec(self, data: Dataset) -> ModelSpec:
        """The network, its size taken from the data and the hyperparameters."""
        spec = parse(self.grid.model)
        height, _, channels = data.image_shape
        shape = {"num_classes": data.num_classes, "in_channels": channels, "input_size": height}
        scale = {name: self.hparams[name] for name in ("width", "depth", "dropout")}
        own = {**shape, **scale} if spec.spec in ("vgg", "wrn") else {"num_classes": data.num_classes}
        return ModelSpec(spec.spec, {**own, **spec.args, **self.grid.model_args})

    def finished(self, data: Dataset) -> "Outcome | None":
        """How the training of this very network went, if its checkpoint is there already."""
        saved = _load(self.path)
        if saved is None or saved.get("content_key") != self.key(data):
            return None
        return Outcome(saved["training"]["end"], saved["metrics"])


@dataclass(frozen=True)
class Outcome:
    """How a training ended (`done`, `stopped` by its loss, or `diverged`), and the network's metrics."""

    end: str
    metrics: dict[str, float]


def prepare(split: Split, mean: tuple[float, ...], std: tuple[float, ...], device: torch.device) -> Tensors:
    """A split as normalised tensors on the device, channels last in memory."""
    images = torch.from_numpy(split.images[:]).to(device).permute(0, 3, 1, 2).float().div_(255)
    shape = (1, -1, 1, 1)
    images = (images - torch.tensor(mean, device=device).view(shape)) / torch.tensor(std, device=device).view(shape)
    return Tensors(images.contiguous(memory_format=torch.channels_last), torch.from_numpy(split.labels[:]).to(device))


def train_member(member: Member, data: Dataset, train_data: Tensors, test_data: Tensors | None) -> Outcome:
    """Train one network, or go on where it was stopped; write its checkpoint."""
    device = train_data.images.device
    torch.manual_seed(int(member.hparams["seed"]))
    spec = member.spec(data)
    model = build(spec).to(device).to(memory_format=torch.channels_last)
    state = start(model, member.hparams)
    key = member.key(data)
    saved = _load(member.partial)
    if saved and saved.get("content_key") == key:
        state.load_state_dict(saved)
    last = time.monotonic()

    def keep(state: State) -> None:
        nonlocal last
        if time.monotonic() - last > SECONDS_BETWEEN_SAVES:
            with atomic_path(member.partial) as temporary:
                torch.save({"content_key": key, **state.state_dict()}, temporary)
            last = time.monotonic()

    end = train(state, train_data, member.hparams, member.grid, keep)
    train_accuracy, train_loss = evaluate(model, train_data)
    metrics: dict[str, float] = {"train_accuracy": train_accuracy, "train_loss": train_loss}
    if test_data is not None:
        metrics["test_accuracy"], metrics["test_loss"] = evaluate(model, test_data)
    metrics["seconds"] = round(state.seconds, 3)
    checkpoint = {
        "format": "icc-checkpoint",
        "version": 1,
        "state_dict": {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()},
        "model": {"spec": spec.spec, "args": spec.args},
        "data": {**data.described, "digest": data.digest, "mean": list(data.mean or ()), "std": list(data.std or ())},
        "hparams": dict(member.hparams),
        "metrics": metrics,
        "epoch": state.epoch,
        "training": {
            "end": end,
            "epochs": member.grid.epochs,
            "drops": list(member.grid.drops),
            "drop_factor": member.grid.drop_factor,
            "stop_loss": member.grid.stop_loss,
            "shift": member.grid.shift,
            "flip": member.grid.flip,
        },
        "content_key": key,
    }
    with atomic_path(member.path) as temporary:
        torch.save(checkpoint, temporary)
    member.partial.unlink(missing_ok=True)
    return Outcome(end, metrics)


def _load(path: Path) -> dict[str, Any] | None:
    """A file of ours, or None when it is not there or damaged."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:
        # A damaged pickle raises anything; what cannot be read is trained again.
        return None
    return content if isinstance(content, dict) else None
