"""From a network and its data set to a sink: forward passes, with the writing of one batch beside the next."""

from collections.abc import Callable
from dataclasses import dataclass, field
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
from icc_cli.extraction.controls import controls
from icc_cli.extraction.forward import device_of, resolve_device
from icc_cli.extraction.head import NO_HEAD
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
    the rows, and what was measured: train_accuracy, train_loss, and test_accuracy when there is a test split."""

    predictions: NDArray[np.int64]
    measured: dict[str, float]
    warnings: tuple[str, ...] = ()
    """What has to be known of the network, such as that it is random."""
    controls: dict[str, float | None] = field(default_factory=dict)
    """Counts and norms of the network; None where one is not defined."""
    reasons: dict[str, str] = field(default_factory=dict)
    """Why there is no head, or no value of a control."""


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
        sink.create(taking.tables, taking.study.head)
        counted = controls(model, train.inputs(few, device).positional, taking.study.calls)
        losses: list[NDArray[np.float64]] = []

        def store(start: int, values: list[Tensor]) -> None:
            blocks = taking.blocks(values)
            losses.append(cross_entropies(blocks[-1], labels[start : start + len(blocks[-1])]))
            sink.write(start, blocks)

        with background(store) as submit:

            def work(start: int, stop: int) -> None:
                classes, values = taking.take(train.inputs(order[start:stop], device), largest_label)
                predictions[start:stop] = classes
                submit(start, values)
                listener.progress(stop - start)

            with taking:
                batches.run(len(order), work)
        measured = {
            "train_accuracy": float(np.mean(predictions == labels)),
            "train_loss": float(np.concatenate(losses).mean()),
        }
        if test is not None:
            measured["test_accuracy"] = _accuracy(
                partial(_classes, taking, test, device), test.labels, batches, listener
            )
    reasons = counted.reasons if taking.study.head is not None else {**counted.reasons, "head": NO_HEAD}
    sizes = {"sites": len(taking.study.sites), "neurons": sum(site.neurons for site in taking.study.sites)}
    return Extracted(predictions, measured, taking.study.warnings, {**counted.values, **sizes}, reasons)


def cross_entropies(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """(B,) -log softmax of the labels' logits."""
    z = logits.astype(np.float64)
    z -= z.max(axis=1, keepdims=True)
    found: NDArray[np.float64] = np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), labels]
    return found


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
