"""From a network and its data set to a sink: forward passes, with the writing of one batch beside the next."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from icc_cli.cache import background
from icc_cli.data import Split
from icc_cli.extraction.batches import Batches
from icc_cli.extraction.forward import device_of, resolve_device
from icc_cli.extraction.how import Extraction
from icc_cli.extraction.inference import inference
from icc_cli.extraction.sinks import Rows, Sink
from icc_cli.extraction.taking import Taking


class Samples(Protocol):
    """A split as a network takes it."""

    @property
    def labels(self) -> NDArray[np.int64]: ...

    def inputs(self, rows: NDArray[np.int64], device: torch.device) -> Tensor:
        """The inputs (B, ...) of `rows` (B,), normalised, on `device`."""
        ...


@dataclass(frozen=True)
class Images:
    """The images of a split, scaled to 0..1 and normalised per channel by `mean` and `std`."""

    split: Split
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def labels(self) -> NDArray[np.int64]:
        return self.split.labels

    def inputs(self, rows: NDArray[np.int64], device: torch.device) -> Tensor:
        """(B, C, H, W) float32; channels last in memory, since the images are."""
        pixels = torch.from_numpy(np.ascontiguousarray(self.split.images[rows])).to(device)
        mean = torch.tensor(self.mean, device=device).view(-1, 1, 1)
        std = torch.tensor(self.std, device=device).view(-1, 1, 1)
        return (pixels.permute(0, 3, 1, 2).float().div_(255) - mean).div_(std)


@dataclass(frozen=True)
class Listener:
    """Who hears of an extraction: samples done, what the user may want to know, what the user has to know."""

    progress: Callable[[int], None] = lambda samples: None
    note: Callable[[str], None] = lambda text: None
    warn: Callable[[str], None] = lambda text: None


@dataclass(frozen=True)
class Extracted:
    """What an extraction leaves beside its rows: the predicted classes (N,) of the training samples in the order of
    the rows, and the accuracies (0..1) measured: train_accuracy, and test_accuracy when there is a test split."""

    predictions: NDArray[np.int64]
    measured: dict[str, float]


def extract(
    model: nn.Module,
    train: Samples,
    test: Samples | None,
    rows: Rows,
    sink: Sink,
    how: Extraction,
    listener: Listener = Listener(),
) -> Extracted:
    """Write the sites of `model` over the training samples to `sink`, in the order of `rows`, in inference mode.

    `finish` is left to the caller. The model comes back as it went in.

    Raises CheckpointError when the model has no site, cannot take the inputs, has fewer outputs than there are
    labels, or gives NaN or infinity.
    """
    device = device_of(model) if how.device is None else resolve_device(how.device)
    order, labels = rows.sample_id, rows.labels
    predictions = np.empty(len(order), np.int64)
    largest_label = int(labels.max())
    with inference(model, device):
        channels_last(model)
        taking = Taking(model, device, how)
        batches = Batches(taking.batch_size(train.inputs(np.zeros(1, np.int64), device)), listener.note)

        def store(start: int, values: list[Tensor]) -> None:
            sink.write(start, taking.blocks(values))

        with background(store) as submit:

            def work(start: int, stop: int) -> None:
                new = not taking.sites
                classes, values = taking.take(train.inputs(order[start:stop], device), largest_label)
                if new:
                    sink.create(taking.sites)
                predictions[start:stop] = classes
                submit(start, values)
                listener.progress(stop - start)

            with taking:
                batches.run(len(order), work)
        measured = {"train_accuracy": float(np.mean(predictions == labels))}
        if test is not None:
            measured["test_accuracy"] = _accuracy(
                partial(_classes, taking, test, device), test.labels, batches, listener
            )
    return Extracted(predictions, measured)


def channels_last(model: nn.Module) -> None:
    """Lay out the weights of convolutions over images as CPU and GPU run them fastest."""
    for parameter in model.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def _classes(taking: Taking, samples: Samples, device: torch.device, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    found: NDArray[np.int64] = taking.logits(samples.inputs(rows, device)).argmax(dim=1).cpu().numpy()
    return found


def _accuracy(
    classes: Callable[[NDArray[np.int64]], NDArray[np.int64]],
    labels: NDArray[np.int64],
    batches: Batches,
    listener: Listener,
) -> float:
    correct = 0

    def work(start: int, stop: int) -> None:
        nonlocal correct
        correct += int(np.sum(classes(np.arange(start, stop)) == labels[start:stop]))
        listener.progress(stop - start)

    batches.run(len(labels), work)
    return correct / len(labels)
