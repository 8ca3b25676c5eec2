"""Training one network: everything on the device, epoch by epoch, from a seed."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from icc_cli.data import Dataset, Split
from icc_cli.errors import UsageError
from icc_cli.training.augment import take
from icc_cli.training.grid import Recipe

EVALUATION_BATCH = 500


@dataclass(frozen=True)
class DeviceSplit:
    """A split on the device: `images` (N, H, W, C) uint8, `labels` (N,) int64."""

    images: Tensor
    labels: Tensor

    @classmethod
    def of(cls, split: Split, device: torch.device) -> "DeviceSplit":
        images = torch.as_tensor(split.images[:]).to(device)
        return cls(images.contiguous(), torch.as_tensor(split.labels).to(device))


@dataclass(frozen=True)
class DeviceData:
    """A data set on the device, with its normalisation as (1, 1, 1, C) tensors on pixels 0..255."""

    train: DeviceSplit
    test: DeviceSplit | None
    mean: Tensor
    std: Tensor

    @classmethod
    def of(
        cls, dataset: Dataset, mean: tuple[float, ...], std: tuple[float, ...], device: torch.device
    ) -> "DeviceData":
        return cls(
            DeviceSplit.of(dataset.train, device),
            None if dataset.test is None else DeviceSplit.of(dataset.test, device),
            255 * torch.tensor(mean, device=device).view(1, 1, 1, -1),
            255 * torch.tensor(std, device=device).view(1, 1, 1, -1),
        )

    def normalised(self, images: Tensor) -> Tensor:
        """(B, H, W, C) uint8 to (B, C, H, W) float32, channels last in memory."""
        return ((images - self.mean) / self.std).permute(0, 3, 1, 2)


@dataclass
class Progress:
    """Where a training stands; what an interrupted one is resumed from."""

    epoch: int = 0
    train_loss: float = math.inf
    seconds: float = 0.0
    diverged: bool = False
    stopped: bool = False
    history: list[float] = field(default_factory=list)
    """Mean training loss of each epoch."""


@dataclass
class Trainer:
    """One network, its optimizer and its progress.

    Every epoch draws its order, augmentation and dropout from a seed made of the run's and the epoch's number,
    so that an interrupted training goes on exactly as an uninterrupted one would have.
    """

    network: nn.Module
    data: DeviceData
    hparams: Mapping[str, Any]
    recipe: Recipe
    bfloat16: bool = False
    progress: Progress = field(default_factory=Progress)

    def __post_init__(self) -> None:
        if self.hparams["augmentation"] and self.recipe.shift >= min(self.data.train.images.shape[1:3]):
            raise UsageError(f"shifts of {self.recipe.shift} pixels do not fit the images.", "Lower shift in the grid.")
        if len(self.data.train.labels) < 2:
            raise UsageError("batch norm needs two training images or more.")
        self.optimizer = make_optimizer(self.network, self.hparams, self.recipe)

    @property
    def device(self) -> torch.device:
        return self.data.train.labels.device

    @property
    def finished(self) -> bool:
        done = self.progress
        return done.diverged or done.stopped or done.epoch >= self.recipe.epochs

    def run_epoch(self) -> None:
        """Train for one epoch; a loss that is not finite marks the training as diverged."""
        start = time.monotonic()
        epoch = self.progress.epoch + 1
        generator = seeded(int(self.hparams["seed"]), epoch, self.device)
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate(self.hparams, epoch)
        train = self.data.train
        order = torch.randperm(len(train.labels), generator=generator, device=self.device)
        self.network.train()
        total = torch.zeros((), device=self.device)
        seen = 0
        for rows in torch.split(order, int(self.hparams["batch_size"])):
            if len(rows) < 2:
                continue  # batch norm has no statistics of one image
            total += self._step(train, rows, generator) * len(rows)
            seen += len(rows)
        loss = float(total) / seen
        self.progress.epoch = epoch
        self.progress.train_loss = loss
        self.progress.history.append(loss)
        self.progress.diverged = not math.isfinite(loss)
        self.progress.stopped = loss < self.recipe.stop_loss
        self.progress.seconds += time.monotonic() - start

    def _step(self, train: DeviceSplit, rows: Tensor, generator: torch.Generator) -> Tensor:
        if self.hparams["augmentation"]:
            images = take(train.images, rows, self.recipe.shift, self.recipe.flip, generator)
        else:
            images = train.images[rows]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            logits = self.network(self.data.normalised(images))
        loss = functional.cross_entropy(logits.float(), train.labels[rows])
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return loss.detach()

    def state(self) -> dict[str, object]:
        """What `restore` needs: plain data and tensors."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "progress": dict(vars(self.progress)),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.progress = Progress(**state["progress"])

    def run(self, after_epoch: Callable[["Trainer"], None] = lambda trainer: None) -> None:
        """Train to the end: the last epoch, the stopping loss, or divergence."""
        while not self.finished:
            self.run_epoch()
            after_epoch(self)

    @property
    def end(self) -> str:
        """`diverged`, `stopped` by its loss, or `done`: how the training ended, or would if it ended now."""
        return "diverged" if self.progress.diverged else "stopped" if self.progress.stopped else "done"

    def metrics(self) -> dict[str, float]:
        """Accuracy (0..1) and mean loss on each split, without augmentation or dropout, and seconds of training."""
        accuracy, loss = evaluate(self.network, self.data, self.data.train)
        found = {"train_accuracy": accuracy, "train_loss": loss}
        if self.data.test is not None:
            found["test_accuracy"], found["test_loss"] = evaluate(self.network, self.data, self.data.test)
        return {**found, "seconds": round(self.progress.seconds, 2)}


def seeded(seed: int, epoch: int, device: torch.device) -> torch.Generator:
    """Seed torch's own generators, which dropout and weights draw from, and return another one."""
    number = seed * 1_000_003 + epoch
    torch.manual_seed(number)
    return torch.Generator(device).manual_seed(number)


def make_optimizer(network: nn.Module, hparams: Mapping[str, Any], recipe: Recipe) -> torch.optim.Optimizer:
    """SGD with momentum, or Adam; weight decay is PyTorch's, gradient + weight_decay x weight, on every parameter."""
    rate, decay = recipe.rate(hparams, 1), float(hparams["weight_decay"])
    if hparams["optimizer"] == "adam":
        return torch.optim.Adam(network.parameters(), rate, weight_decay=decay, foreach=True)
    return torch.optim.SGD(network.parameters(), rate, recipe.momentum, weight_decay=decay, foreach=True)


@torch.no_grad()
def evaluate(network: nn.Module, data: DeviceData, split: DeviceSplit) -> tuple[float, float]:
    """Accuracy (0..1) and mean cross-entropy over `split`, in inference mode and float32."""
    network.eval()
    right = torch.zeros((), device=split.labels.device)
    loss = torch.zeros((), device=split.labels.device)
    for start in range(0, len(split.labels), EVALUATION_BATCH):
        labels = split.labels[start : start + EVALUATION_BATCH]
        logits = network(data.normalised(split.images[start : start + EVALUATION_BATCH]))
        right += (logits.argmax(1) == labels).sum()
        loss += functional.cross_entropy(logits, labels, reduction="sum")
    return float(right) / len(split.labels), float(loss) / len(split.labels)
