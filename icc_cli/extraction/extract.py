"""From a model and a data set to a cache: forward passes, with the writing of one batch beside the next."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from icc_cli.cache import CacheWriter, SiteInfo, background, new_cache
from icc_cli.data import Split
from icc_cli.errors import CheckpointError, UsageError
from icc_cli.extraction.capture import Capture
from icc_cli.extraction.memory import batch_for, ran_out

FLOAT16_MAX = 65504.0


@dataclass(frozen=True)
class Extraction:
    """How activations are taken: device, batch size, per-channel normalisation of pixels scaled to 0..1."""

    device: torch.device
    batch_size: int | None
    """Samples a forward pass; None takes what `batch_for` finds."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    store_dtype: str = "float32"
    precision: str = "float32"
    """`bfloat16` lets torch compute convolutions and products in it (autocast)."""
    activations: tuple[str, ...] = ("relu",)
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    """Globs over site names; see `Capture`."""


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
    note: Callable[[str], None] = lambda text: None,
) -> dict[str, float]:
    """Write the cache of `model` over the training split to `path`, in inference mode, without augmentation.

    `metadata` is given the measured accuracies and returns what the cache records; `progress` is called with
    the number of samples done, `note` with what the user should hear. Returns train_accuracy, and test_accuracy
    when there is a test split (0..1).

    Raises CheckpointError when the model has no site, cannot take the images, has fewer outputs than there are
    labels, or gives NaN or infinity.
    """
    model = model.to(how.device).to(memory_format=torch.channels_last).eval()
    order = train.order()
    labels = train.labels[order]
    with exact_float32(), new_cache(path, how.store_dtype) as writer:
        batches = _Batches(how.batch_size or _batch_size(model, train, how), note)
        predictions = _write_sites(model, train, order, writer, how, batches, progress)
        measured = {"train_accuracy": float(np.mean(predictions == labels))}
        if test is not None:
            measured["test_accuracy"] = _accuracy(model, test, how, batches, progress)
        writer.finish(predictions, metadata(measured), key)
    return measured


def _batch_size(model: nn.Module, split: Split, how: Extraction) -> int:
    """What `batch_for` finds for the largest pre-activation of one sample."""
    capture = Capture(model)
    with torch.inference_mode(), capture:
        _logits(model, split.images[:1], how)
    return batch_for(capture.largest, how.device)


class _Batches:
    """Goes through rows in batches, smaller ones when memory runs out."""

    def __init__(self, size: int, note: Callable[[str], None]) -> None:
        self._size = size
        self._note = note

    def run(self, count: int, work: Callable[[int, int], None]) -> None:
        """Call `work(start, stop)` until rows 0..count are done, repeating a batch that memory did not carry."""
        start = 0
        while start < count:
            stop = min(start + self._size, count)
            try:
                work(start, stop)
            except Exception as error:
                if not ran_out(error):
                    raise
                if self._size == 1:
                    raise CheckpointError(
                        "one image takes more memory than there is.", "Use another --device or a smaller --image-size."
                    ) from error
                self._size = max(1, (stop - start) // 2)
                self._note(f"memory ran out; going on with batches of {self._size}.")
            else:
                start = stop
                continue
            # Outside the except block, so that the failed batch's tensors are gone.
            if torch.cuda.is_available():
                torch.cuda.empty_cache()


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
    batches: _Batches,
    progress: Callable[[int], None],
) -> NDArray[np.int64]:
    """Write every site's rows; returns the predicted classes (N,), in `order`."""
    capture = Capture(model, how.activations, how.include, how.exclude)
    predictions = np.empty(len(order), np.int64)
    sites: list[SiteInfo] = []
    largest_label = int(train.labels.max())

    def store(start: int, values: list[Tensor]) -> None:
        blocks = [value.float().numpy(force=True) for value in values]
        for site, block in zip(sites, blocks, strict=True):
            _check_finite(site.name, block, how.store_dtype)
        writer.write(start, blocks)

    with background(store) as submit:

        def work(start: int, stop: int) -> None:
            nonlocal sites
            rows = order[start:stop]
            capture.begin()
            outputs = _logits(model, train.images[rows], how)
            found, values = capture.take()
            if not sites:
                _check_first(found, outputs, largest_label, capture, how)
                sites = found
                sublabels = None if train.sublabels is None else train.sublabels[order]
                writer.create(order, train.labels[order], sublabels, sites)
            elif found != sites:
                raise CheckpointError("the model calls its activation functions differently from batch to batch.")
            if any(len(value) != len(rows) for value in values):
                raise CheckpointError("the model mixes samples before an activation: its batch dimension changes.")
            predictions[start:stop] = outputs.argmax(dim=1).cpu().numpy()
            submit(start, values)
            progress(stop - start)

        with torch.inference_mode(), capture:
            batches.run(len(order), work)
    return predictions


def batch(images: NDArray[np.uint8], how: Extraction) -> Tensor:
    """Images (B, H, W, C) uint8 as normalised float32 (B, C, H, W) on the device, channels last in memory,
    which CPU convolutions run fastest on."""
    pixels = torch.from_numpy(np.ascontiguousarray(images)).to(how.device)
    mean = torch.tensor(how.mean, device=how.device).view(-1, 1, 1)
    std = torch.tensor(how.std, device=how.device).view(-1, 1, 1)
    scaled = (pixels.permute(0, 3, 1, 2).float().div_(255) - mean).div_(std)
    return scaled.contiguous(memory_format=torch.channels_last)


def _logits(model: nn.Module, images: NDArray[np.uint8], how: Extraction) -> Tensor:
    """Logits (B, classes) of images (B, H, W, C) uint8, in the precision asked for."""
    with torch.autocast(how.device.type, torch.bfloat16, enabled=how.precision == "bfloat16"):
        return forward(model, batch(images, how))


def forward(model: nn.Module, inputs: Tensor) -> Tensor:
    """Logits (B, classes); CheckpointError when the model cannot take the images or gives something else."""
    try:
        outputs = model(inputs)
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
        if ran_out(error):
            raise
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


def _accuracy(
    model: nn.Module, split: Split, how: Extraction, batches: _Batches, progress: Callable[[int], None]
) -> float:
    correct = 0

    def work(start: int, stop: int) -> None:
        nonlocal correct
        rows = np.arange(start, stop)
        with torch.inference_mode():
            predicted = _logits(model, split.images[rows], how).argmax(dim=1).cpu().numpy()
        correct += int(np.sum(predicted == split.labels[rows]))
        progress(stop - start)

    batches.run(len(split), work)
    return correct / len(split)


def _check_first(sites: list[SiteInfo], outputs: Tensor, largest_label: int, capture: Capture, how: Extraction) -> None:
    if not sites:
        raise no_site(capture, how.activations)
    if outputs.shape[1] <= largest_label:
        raise CheckpointError(
            f"the model has {outputs.shape[1]} outputs, and the data's labels go up to {largest_label}.",
            "Check --data, --hierarchy and the model's num_classes.",
        )


def _check_finite(name: str, block: NDArray[np.float32], store_dtype: str) -> None:
    largest = max(block.max(initial=0.0), -block.min(initial=0.0))
    if not np.isfinite(largest):
        raise CheckpointError(
            f"site {name} gives NaN or infinity.", "The network diverged, or its weights are damaged."
        )
    if store_dtype == "float16" and largest > FLOAT16_MAX:
        raise CheckpointError(f"site {name} reaches {largest:.3g}, too large for float16.", "Store float32.")


def no_site(capture: Capture, activations: tuple[str, ...]) -> CheckpointError:
    """Why there is no site: globs that match none, or activation functions that were not asked for."""
    wanted = ", ".join(activations)
    others = [f"{name} ({count} calls)" for name, count in capture.seen.items() if name not in activations]
    if any(name in activations for name in capture.seen):
        return CheckpointError(f"no site of {wanted} is left by --sites and --exclude-sites.", "Widen the globs.")
    return CheckpointError(
        f"the model does not call {wanted} in its forward pass, so there is no site to extract.",
        f"It calls {', '.join(others)}: name them with --activations." if others else "",
    )
