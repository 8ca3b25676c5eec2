"""`icc_cli.activations`: the activations of a network over a loader or arrays, the network left as it was."""

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor, nn

from icc_cli.checkpoints import weights_sha256
from icc_cli.extraction.forward import device_of
from icc_cli.extraction.given import Arrays, Digest, arrays_of, batches_of, generators_kept
from icc_cli.extraction.how import Extraction
from icc_cli.extraction.in_memory import Activations, Memory
from icc_cli.extraction.ordered import Listener, extract
from icc_cli.extraction.provenance import Description, Provenance, identity
from icc_cli.extraction.sinks import Sink, sorted_cache
from icc_cli.extraction.stream import stream

EXACTLY = Extraction()


@overload
def activations(
    model: nn.Module,
    loader: Iterable[Any],
    *,
    sublabels: ArrayLike | None = None,
    path: None = None,
    name: str | None = None,
    how: Extraction = EXACTLY,
) -> Activations: ...
@overload
def activations(
    model: nn.Module,
    loader: Iterable[Any],
    *,
    sublabels: ArrayLike | None = None,
    path: str | Path,
    name: str | None = None,
    how: Extraction = EXACTLY,
) -> Path: ...
def activations(
    model: nn.Module,
    loader: Iterable[Any],
    *,
    sublabels: ArrayLike | None = None,
    path: str | Path | None = None,
    name: str | None = None,
    how: Extraction = EXACTLY,
) -> Activations | Path:
    """The pre-activations of `model` over all samples of `loader`, in inference mode; with `path`, the cache of them.

    `loader` gives batches (x, y) or (x, y, sublabels), as a `DataLoader` does, or is a tuple of such arrays. Rows may
    come in any order; they are ordered by class, then subclass, then sample. `sublabels` (N,) are the finer labels of
    a loader that gives none, in the order in which it gives its samples. `name` is what records call the network
    (default: the file's name, or the class's). Inputs are taken as they are: normalise them as in training.

    The model comes back as it went in, whatever happens: the mode of every submodule, its hooks, attributes, device
    and memory format; and so do the states of all random generators.

    Raises DataError for batches that are not as said, and CheckpointError as `icc extract` does.
    """
    if path is None:
        memory = Memory()
        _fill(memory, model, (loader, sublabels), name or type(model).__name__, how)
        return memory.activations
    with sorted_cache(Path(path), how.store_dtype) as sink:
        _fill(sink, model, (loader, sublabels), name or Path(path).stem, how, Digest())
    return Path(path)


def _fill(
    sink: Sink,
    model: nn.Module,
    given: tuple[Iterable[Any], ArrayLike | None],
    name: str,
    how: Extraction,
    digest: Digest | None = None,
) -> None:
    """Take everything, and finish `sink` with what identifies it."""
    device = how.device or str(device_of(model))
    listener = Listener(note=warnings.warn, warn=warnings.warn)
    whole = arrays_of(*given)
    if whole is not None:
        if digest:
            digest.add(whole)
        rows = whole.rows.take(whole.rows.order())
        found = extract(model, Arrays(whole), None, rows, sink, how, listener)
        predictions, said, counted, reasons = found.predictions, found.warnings, found.controls, found.reasons
        loss = found.measured["train_loss"]
    else:
        with generators_kept(given[0]):
            batches = batches_of(*given)
            streamed = stream(model, digest.following(batches) if digest else batches, sink, how, listener)
        rows, predictions, said, loss = streamed.rows, streamed.predictions, streamed.warnings, streamed.loss
        counted, reasons = streamed.controls, streamed.reasons
    measured = {"train_accuracy": float(np.mean(predictions == rows.labels)), "train_loss": loss}
    spec = {"spec": f"{type(model).__module__}:{type(model).__qualname__}", "args": {}}
    data = {"spec": "in memory", "hierarchy": None, "per_class": None, "digest": digest.of(rows) if digest else None}
    weights = weights_sha256({key: value for key, value in model.state_dict().items() if isinstance(value, Tensor)})
    description = Description(measured, device, spec, metrics={**measured, **counted}, warnings=said, reasons=reasons)
    sink.finish(rows, predictions, identity(Provenance(name, weights, spec, data, None, how), description))
