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
from icc_cli.extraction.arguments import Arguments
from icc_cli.extraction.batches import Batches
from icc_cli.extraction.forward import device_of, resolve_device
from icc_cli.extraction.how import Extraction
from icc_cli.extraction.inference import inference
from icc_cli.extraction.sinks import Rows, Sink
from icc_cli.extraction.study import FEW
from icc_cli.extraction.taking import Taking


class Samples(Protocol):
    """A split as a network takes it."""

    @property
    def labels(self) -> NDArray[np.int64]: ...

    def inputs(self, rows: NDArray[np.int64], device: torch.device) -> Arguments:
        """What the network is given for `rows` (B,), on `device`."""
        ...


@dataclass(frozen=True)
class SplitSamples:
    """The samples of a split: images scaled to 0..1 and normalised per channel by `mean` and `std`, or inputs that are
    taken as they are."""

    split: Split
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @property
    def labels(self) -> NDArray[np.int64]:
        return self.split.labels

    def inputs(self, rows: NDArray[np.int64], device: torch.device) -> Arguments:
        """Images as (B, C, H, W) float32."""
        if self.split.inputs is not None:
            positional, named = self.split.inputs.arguments(rows)
            given = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in named.items()}
            return Arguments(tuple(torch.from_numpy(np.ascontiguousarray(a)) for a in positional), given).to(device)
        pixels = torch.from_numpy(np.ascontiguousarray(self.split.images[rows])).to(device)
        mean = torch.tensor(self.mean, device=device).view(-1, 1, 1)
        std = torch.tensor(self.std, device=device).view(-1, 1, 1)
        return Arguments(((pixels.permute(0, 3, 1, 2).float().div_(255) - mean).div_(std),))


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
    warnings: tuple[str, ...] = ()
    """What has to be known of the network, such as that it is random."""


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
        few = order[np.linspace(0, len(order) - 1, min(FEW, len(order))).astype(np.int64)]
        taking = Taking(model, device, how, train.inputs(few, device), largest_label + 1)
        for text in taking.study.warnings:
            listener.warn(text)
        for text in taking.study.notes:
            listener.note(text)
        batches = Batches(taking.batch_size, listener.note)
        sink.create(taking.study.sites)

        def store(start: int, values: list[Tensor]) -> None:
            sink.write(start, taking.blocks(values))

        with background(store) as submit:

            def work(start: int, stop: int) -> None:
                classes, values = taking.take(train.inputs(order[start:stop], device), largest_label)
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
    return Extracted(predictions, measured, taking.study.warnings)


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
