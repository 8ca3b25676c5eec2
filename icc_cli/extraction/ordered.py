"""From a network and its data set to a sink: forward passes, with the writing of one batch beside the next."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from icc_cli.cache import Rows, background
from icc_cli.data import Split
from icc_cli.extraction.arguments import Arguments
from icc_cli.extraction.batches import Batches
from icc_cli.extraction.controls import Controls, controls
from icc_cli.extraction.forward import device_of, resolve_device
from icc_cli.extraction.head import NO_HEAD
from icc_cli.extraction.how import Extraction
from icc_cli.extraction.inference import inference
from icc_cli.extraction.sinks import Blocks, Sink
from icc_cli.extraction.study import FEW, Study
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
    test_predictions: NDArray[np.int64] | None = None
    """Those of the test split, when its sites were written too."""


@dataclass(frozen=True)
class HeldOut:
    """The test split: its accuracy over `rows`, and with `write` its sites too."""

    samples: Samples
    rows: Rows
    write: Callable[[int, Blocks], None] | None = None


def extract(
    model: nn.Module,
    train: Samples,
    test: HeldOut | None,
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
    order = rows.sample_id
    with inference(model, device):
        few = order[np.linspace(0, len(order) - 1, min(FEW, len(order))).astype(np.int64)]
        taking = Taking(model, device, how, train.inputs(few, device), int(train.labels.max()) + 1)
        for text in taking.study.warnings:
            listener.warn(text)
        for text in taking.study.notes:
            listener.note(text)
        one = _Pass(taking, device, Batches(taking.batch_size, listener.note), listener)
        sink.create(taking.tables, taking.study.head)
        counted = controls(model, taking.least(train.inputs(few, device)).positional, taking.study.calls)
        predictions, loss = one.over(train, rows, sink.write)
        measured = {"train_accuracy": float(np.mean(predictions == rows.labels)), "train_loss": loss}
        of_test = None
        if test is not None and test.write is not None:
            of_test, _ = one.over(test.samples, test.rows, test.write)
            measured["test_accuracy"] = float(np.mean(of_test == test.rows.labels))
        elif test is not None:
            measured["test_accuracy"] = one.accuracy(test.samples, test.rows)
    return Extracted(predictions, measured, taking.study.warnings, *described(taking.study, counted), of_test)


def described(found: Study, counted: Controls) -> tuple[dict[str, float | None], dict[str, str]]:
    """The controls of a network, its sites and neurons counted with them; and why there is no head, or no control."""
    reasons = counted.reasons if found.head is not None else {**counted.reasons, "head": NO_HEAD}
    sizes = {"sites": len(found.sites), "neurons": sum(site.neurons for site in found.sites)}
    return {**counted.values, **sizes}, reasons


@dataclass(frozen=True)
class _Pass:
    """Goes over the samples of a split, batch by batch."""

    taking: Taking
    device: torch.device
    batches: Batches
    listener: Listener

    def over(
        self, samples: Samples, rows: Rows, write: Callable[[int, Blocks], None]
    ) -> tuple[NDArray[np.int64], float]:
        """Write the sites of all `rows`; their predicted classes (N,), and the mean cross-entropy."""
        order, labels = rows.sample_id, rows.labels
        largest_label = int(labels.max())
        predictions = np.empty(len(order), np.int64)
        losses: list[NDArray[np.float64]] = []

        def store(start: int, values: list[Tensor]) -> None:
            blocks = self.taking.blocks(values)
            losses.append(cross_entropies(blocks[-1], labels[start : start + len(blocks[-1])]))
            write(start, blocks)

        with background(store) as submit:

            def work(start: int, stop: int) -> None:
                classes, values = self.taking.take(samples.inputs(order[start:stop], self.device), largest_label)
                predictions[start:stop] = classes
                submit(start, values)
                self.listener.progress(stop - start)

            with self.taking:
                self.batches.run(len(order), work)
        return predictions, float(np.concatenate(losses).mean())

    def accuracy(self, samples: Samples, rows: Rows) -> float:
        """The share of `rows` whose class the network finds."""
        labels, correct = rows.labels, 0

        def work(start: int, stop: int) -> None:
            nonlocal correct
            logits = self.taking.logits(samples.inputs(rows.sample_id[start:stop], self.device))
            correct += int(np.sum(logits.argmax(dim=1).cpu().numpy() == labels[start:stop]))
            self.listener.progress(stop - start)

        self.batches.run(len(labels), work)
        return correct / len(labels)


def cross_entropies(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """(B,) -log softmax of the labels' logits."""
    z = logits.astype(np.float64)
    z -= z.max(axis=1, keepdims=True)
    found: NDArray[np.float64] = np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), labels]
    return found
