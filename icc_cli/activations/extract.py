"""From a model and a data set to a cache: forward passes, with the writing of one batch beside the next."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from icc_cli.activations.capture import Capture
from icc_cli.cache import CacheWriter, SiteInfo, background, new_cache
from icc_cli.data import Split
from icc_cli.errors import CheckpointError, UsageError

FLOAT16_MAX = 65504.0


@dataclass(frozen=True)
class Extraction:
    """How activations are taken: device, batch size, per-channel normalisation of pixels scaled to 0..1."""

    device: torch.device
    batch_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    store_dtype: str = "float32"
    activations: tuple[str, ...] = ("relu",)


def resolve_device(name: str) -> torch.device:
    """The device called `name`; `auto` takes a GPU when there is one. UsageError when it cannot be used."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"cannot use the device {name!r}: {str(error).splitlines()[0]}") from error
    return device


def extract(
    model: nn.Module,
    train: Split,
    test: Split | None,
    path: Path,
    how: Extraction,
    key: str,
    metadata: Callable[[dict[str, float]], dict[str, Any]],
    progress: Callable[[int], None] = lambda samples: None,
) -> dict[str, float]:
    """Write the cache of `model` over the training split to `path`, in inference mode, without augmentation.

    `metadata` is given the measured accuracies and returns what the cache records; `progress` is called with
    the number of samples done. Returns train_accuracy, and test_accuracy when there is a test split (0..1).

    Raises CheckpointError when the model has no site, cannot take the images, has fewer outputs than there are
    labels, or gives NaN or infinity.
    """
    model = model.to(how.device).to(memory_format=torch.channels_last).eval()
    order = train.order()
    labels = train.labels[order]
    with exact_float32(), new_cache(path, how.store_dtype) as writer:
        predictions = _write_sites(model, train, order, writer, how, progress)
        measured = {"train_accuracy": float(np.mean(predictions == labels))}
        if test is not None:
            measured["test_accuracy"] = _accuracy(model, test, how, progress)
        writer.finish(predictions, metadata(measured), key)
    return measured


class exact_float32:
    """Context in which float32 products are float32: TF32 is off."""

    def __enter__(self) -> None:
        self._previous = (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False

    def __exit__(self, *exception: object) -> None:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = self._previous


def _write_sites(
    model: nn.Module,
    train: Split,
    order: NDArray[np.int64],
    writer: CacheWriter,
    how: Extraction,
    progress: Callable[[int], None],
) -> NDArray[np.int64]:
    """Write every site's rows; returns the predicted classes (N,), in `order`."""
    capture = Capture(model, how.activations)
    predictions = np.empty(len(order), np.int64)
    sites: list[SiteInfo] = []
    largest_label = int(train.labels.max())

    def store(start: int, values: list[Tensor]) -> None:
        blocks = [value.float().numpy(force=True) for value in values]
        for site, block in zip(sites, blocks, strict=True):
            _check_finite(site.name, block, how.store_dtype)
        writer.write(start, blocks)

    with background(store) as submit:
        for start in range(0, len(order), how.batch_size):
            rows = order[start : start + how.batch_size]
            with torch.inference_mode(), capture:
                outputs = forward(model, batch(train.images[rows], how))
            found, values = capture.take()
            if not sites:
                _check_first(found, outputs, largest_label)
                sites = found
                sublabels = None if train.sublabels is None else train.sublabels[order]
                writer.create(order, train.labels[order], sublabels, sites)
            elif found != sites:
                raise CheckpointError("the model calls its activation functions differently from batch to batch.")
            if any(len(value) != len(rows) for value in values):
                raise CheckpointError("the model mixes samples before an activation: its batch dimension changes.")
            predictions[start : start + len(rows)] = outputs.argmax(dim=1).cpu().numpy()
            submit(start, values)
            progress(len(rows))
    return predictions


def batch(images: NDArray[np.uint8], how: Extraction) -> Tensor:
    """Images (B, H, W, C) uint8 as normalised float32 (B, C, H, W) on the device, channels last in memory,
    which CPU convolutions run fastest on."""
    pixels = torch.from_numpy(np.ascontiguousarray(images)).to(how.device)
    mean = torch.tensor(how.mean, device=how.device).view(-1, 1, 1)
    std = torch.tensor(how.std, device=how.device).view(-1, 1, 1)
    scaled = (pixels.permute(0, 3, 1, 2).float().div_(255) - mean).div_(std)
    return scaled.contiguous(memory_format=torch.channels_last)


def forward(model: nn.Module, inputs: Tensor) -> Tensor:
    """Logits (B, classes); CheckpointError when the model cannot take the images or gives something else."""
    try:
        outputs = model(inputs)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise CheckpointError(
            f"the model cannot take images of shape {tuple(inputs.shape[1:])} (C, H, W): "
            f"{str(error).splitlines()[0].rstrip('.')}.",
            "Check --data and the model's input size and channels.",
        ) from error
    if isinstance(outputs, tuple | list) and outputs:
        outputs = outputs[0]
    if not isinstance(outputs, Tensor) or outputs.dim() != 2:
        shape = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise CheckpointError(f"the model's output is {shape}, expected logits (batch, classes).")
    return outputs


def _accuracy(model: nn.Module, split: Split, how: Extraction, progress: Callable[[int], None]) -> float:
    correct = 0
    for start in range(0, len(split), how.batch_size):
        rows = np.arange(start, min(start + how.batch_size, len(split)))
        with torch.inference_mode():
            predicted = forward(model, batch(split.images[rows], how)).argmax(dim=1).cpu().numpy()
        correct += int(np.sum(predicted == split.labels[rows]))
        progress(len(rows))
    return correct / len(split)


def _check_first(sites: list[SiteInfo], outputs: Tensor, largest_label: int) -> None:
    if not sites:
        raise CheckpointError("the model calls no ReLU in its forward pass, so there is no site to extract.")
    if outputs.shape[1] <= largest_label:
        raise CheckpointError(
            f"the model has {outputs.shape[1]} outputs, and the data's labels go up to {largest_label}.",
            "Check --data, --hierarchy and the model's num_classes.",
        )


def _check_finite(name: str, block: NDArray[np.float32], store_dtype: str) -> None:
    largest = np.abs(block).max(initial=0.0)
    if not np.isfinite(largest):
        raise CheckpointError(
            f"site {name} gives NaN or infinity.", "The network diverged, or its weights are damaged."
        )
    if store_dtype == "float16" and largest > FLOAT16_MAX:
        raise CheckpointError(f"site {name} reaches {largest:.3g}, too large for float16.", "Store float32.")
