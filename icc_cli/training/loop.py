"""Training one network, with its data on the device and its state saved now and then."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from icc_cli.training.augment import shift_and_flip
from icc_cli.training.grid import Grid

ADAM_LR_DIVISOR = 100
EVALUATION_BATCH = 1000


@dataclass(frozen=True)
class Tensors:
    """A split on the device: `images` (N, C, H, W) normalised float32, `labels` (N,)."""

    images: Tensor
    labels: Tensor


@dataclass
class State:
    """All that the rest of a training depends on."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    epoch: int = 0
    seconds: float = 0.0
    loss: float = math.inf

    def state_dict(self) -> dict[str, Any]:
        """Plain data from which `load_state_dict` goes on exactly."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "dropout": torch.get_rng_state(),
            "epoch": self.epoch,
            "seconds": self.seconds,
            "loss": self.loss,
        }

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Go back to where `state_dict` was called."""
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.generator.set_state(saved["generator"])
        torch.set_rng_state(saved["dropout"])
        self.epoch, self.seconds, self.loss = saved["epoch"], saved["seconds"], saved["loss"]


def start(model: nn.Module, hparams: Mapping[str, Any]) -> State:
    """A training that has not begun. Adam's learning rate is `lr` / 100, as in the paper."""
    lr, decay = float(hparams["lr"]), float(hparams["weight_decay"])
    optimizer: torch.optim.Optimizer
    if hparams["optimizer"] == "adam":
        optimizer = torch.optim.Adam(model.parameters(), lr / ADAM_LR_DIVISOR, weight_decay=decay)
    else:
        optimizer = torch.optim.SGD(model.parameters(), lr, momentum=0.9, weight_decay=decay)
    return State(model, optimizer, torch.Generator().manual_seed(int(hparams["seed"])))


def train(
    state: State,
    data: Tensors,
    hparams: Mapping[str, Any],
    grid: Grid,
    after_epoch: Callable[[State], None] = lambda state: None,
) -> str:
    """Train until the last epoch, until the loss is low enough, or until it is no number.

    `after_epoch` is called with the state at the end of each epoch. Returns `done`, `stopped` or `diverged`.
    """
    base = [group.setdefault("initial_lr", group["lr"]) for group in state.optimizer.param_groups]
    while state.epoch < grid.epochs:
        began = time.monotonic()
        factor = grid.drop_factor ** sum(state.epoch >= drop for drop in grid.drops)
        for group, lr in zip(state.optimizer.param_groups, base, strict=True):
            group["lr"] = lr * factor
        state.loss = _epoch(state, data, hparams, grid)
        state.epoch += 1
        state.seconds += time.monotonic() - began
        if not math.isfinite(state.loss):
            return "diverged"
        after_epoch(state)
        if state.loss < grid.stop_loss:
            return "stopped"
    return "done"


def _epoch(state: State, data: Tensors, hparams: Mapping[str, Any], grid: Grid) -> float:
    """One pass over the data in a new order; the mean loss of its batches."""
    state.model.train()
    order = torch.randperm(len(data.labels), generator=state.generator).to(data.labels.device)
    total = torch.zeros((), device=data.labels.device)
    for rows in torch.split(order, int(hparams["batch_size"])):
        if len(rows) < 2:
            continue  # batch norm has no variance for a single sample
        images = data.images[rows]
        if hparams["augmentation"]:
            images = shift_and_flip(images, grid.shift, grid.flip, state.generator)
        loss = F.cross_entropy(state.model(images), data.labels[rows])
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        state.optimizer.step()
        total += loss.detach() * len(rows)
    return float(total) / len(order)


@torch.inference_mode()
def evaluate(model: nn.Module, data: Tensors) -> tuple[float, float]:
    """(accuracy 0..1, mean loss) in inference mode, without augmentation."""
    model.eval()
    correct, loss = 0, 0.0
    for images, labels in zip(
        torch.split(data.images, EVALUATION_BATCH), torch.split(data.labels, EVALUATION_BATCH), strict=True
    ):
        logits = model(images)
        correct += int((logits.argmax(1) == labels).sum())
        loss += float(F.cross_entropy(logits, labels, reduction="sum"))
    return correct / len(data.labels), loss / len(data.labels)
