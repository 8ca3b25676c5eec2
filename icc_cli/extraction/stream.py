"""From batches that come in any order, nobody knows how many, to a sink."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from icc_cli.cache import Rows, background
from icc_cli.errors import DataError
from icc_cli.extraction.batches import Batches
from icc_cli.extraction.controls import controls
from icc_cli.extraction.forward import device_of, resolve_device
from icc_cli.extraction.given import Batch
from icc_cli.extraction.how import Extraction
from icc_cli.extraction.inference import inference
from icc_cli.extraction.ordered import Listener, cross_entropies, described
from icc_cli.extraction.sinks import Sink
from icc_cli.extraction.taking import Taking


@dataclass(frozen=True)
class Streamed:
    """What a stream leaves beside its rows: which samples they are, and the predicted classes (N,), as they came."""

    rows: Rows
    predictions: NDArray[np.int64]
    loss: float
    """The mean cross-entropy."""
    warnings: tuple[str, ...]
    """What has to be known of the network, such as that it is random."""
    controls: dict[str, float | None]
    """Counts and norms of the network; None where one is not defined."""
    reasons: dict[str, str]
    """Why there is no head, or no value of a control."""


def stream(model: nn.Module, batches: Iterable[Batch], sink: Sink, how: Extraction, listener: Listener) -> Streamed:
    """Write the sites of `model` over `batches` to `sink`, in the order in which they come. `finish` is left to the
    caller, and the model comes back as it went in. Raises as `extract`, and DataError when there is no sample."""
    device = device_of(model) if how.device is None else resolve_device(how.device)
    labels: list[NDArray[np.int64]] = []
    sublabels: list[NDArray[np.int64]] = []
    predictions: list[NDArray[np.int64]] = []
    losses: list[NDArray[np.float64]] = []
    done = 0
    with inference(model, device):
        taking: Taking | None = None
        in_parts = Batches(how.batch_size or sys.maxsize, listener.note)

        def store(start: int, values: list[Tensor], classes: NDArray[np.int64]) -> None:
            assert taking is not None
            blocks = taking.blocks(values)
            losses.append(cross_entropies(blocks[-1], classes))
            sink.write(start, blocks)

        with background(store) as submit:
            for batch in batches:
                if not len(batch):
                    continue
                if taking is None:
                    taking = Taking(model, device, how, batch.inputs, int(batch.labels.max()) + 1)
                    in_parts = Batches(taking.study.batch or how.batch_size or sys.maxsize, listener.note)
                    counted = controls(model, taking.least(batch.inputs).positional, taking.study.calls)
                    for text in taking.study.warnings:
                        listener.warn(text)
                    for text in taking.study.notes:
                        listener.note(text)
                    sink.create(taking.tables, taking.study.head)

                def work(start: int, stop: int, batch: Batch = batch, taking: Taking = taking) -> None:
                    nonlocal done
                    largest = int(batch.labels.max())
                    classes, values = taking.take(batch.inputs.rows(slice(start, stop)), largest)
                    predictions.append(classes)
                    submit(done, values, batch.labels[start:stop])
                    done += stop - start
                    listener.progress(stop - start)

                # Around each batch alone: what the loader computes is none of the network's.
                with taking:
                    in_parts.run(len(batch), work)
                labels.append(batch.labels)
                if batch.sublabels is not None:
                    sublabels.append(batch.sublabels)
    if taking is None:
        raise DataError("the loader gives no sample.")
    if sublabels and len(sublabels) != len(labels):
        raise DataError("some batches have sublabels and others do not.")
    rows = Rows(np.arange(done), np.concatenate(labels), np.concatenate(sublabels) if sublabels else None)
    found = described(taking.study, counted)
    loss = float(np.concatenate(losses).mean())
    return Streamed(rows, np.concatenate(predictions), loss, taking.study.warnings, *found)
