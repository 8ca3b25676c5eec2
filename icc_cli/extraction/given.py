"""Samples as a caller gives them: arrays, or an iterable of batches."""

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, SequentialSampler

from icc_cli.cache import Rows
from icc_cli.errors import DataError
from icc_cli.extraction.arguments import Arguments

HINT = "Give batches (inputs, labels) or (inputs, labels, sublabels), or one tuple of such arrays."


@dataclass(frozen=True)
class Batch:
    """Some samples: `inputs`, `labels` and `sublabels` (B,)."""

    inputs: Arguments
    labels: NDArray[np.int64]
    sublabels: NDArray[np.int64] | None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def rows(self) -> Rows:
        """The samples, numbered as they come."""
        return Rows(np.arange(len(self)), self.labels, self.sublabels)


@dataclass(frozen=True)
class Arrays:
    """Samples that are there all at once, as `extract` takes them."""

    whole: Batch

    @property
    def labels(self) -> NDArray[np.int64]:
        return self.whole.labels

    def inputs(self, rows: NDArray[np.int64], device: torch.device) -> Arguments:
        chosen = torch.from_numpy(rows)
        return self.whole.inputs.each(lambda tensor: tensor[chosen.to(tensor.device)]).to(device)


class Digest:
    """sha256 of samples that does not depend on the order in which they come."""

    def __init__(self) -> None:
        self._rows: list[bytes] = []

    def add(self, batch: Batch) -> None:
        given = batch.inputs
        arrays = [np.ascontiguousarray(t.numpy(force=True)) for t in (*given.positional, *given.named.values())]
        for row in range(len(batch)):
            self._rows.append(hashlib.sha256(b"".join(array[row].tobytes() for array in arrays)).digest())

    def following(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """`batches`, each added as it passes."""
        for batch in batches:
            self.add(batch)
            yield batch

    def of(self, rows: Rows) -> str:
        """The digest of all samples that were added, whose labels `rows` has, in the order that `rows` has them."""
        digests = [self._rows[row] for row in rows.sample_id]
        sublabels = rows.labels if rows.sublabels is None else rows.sublabels
        keys = sorted(zip(rows.labels.tolist(), sublabels.tolist(), digests, strict=True))
        return hashlib.sha256(b"".join(f"{a} {b} ".encode() + digest for a, b, digest in keys)).hexdigest()


def arrays_of(loader: object, sublabels: ArrayLike | None) -> Batch | None:
    """All samples at once, when `loader` is a tuple of arrays; None when it is to be iterated over."""
    if not isinstance(loader, tuple) or len(loader) not in (2, 3) or not all(_is_array(part) for part in loader[1:]):
        return None
    whole = _batch(loader, None)
    if sublabels is None:
        return whole
    return Batch(whole.inputs, whole.labels, _labels(sublabels, len(whole), "sublabels"))


def batches_of(loader: Iterable[Any], sublabels: ArrayLike | None) -> Iterator[Batch]:
    """The batches of `loader`, the sublabels taken from `sublabels` (N,) where it gives none.

    Raises DataError for what is no batch, and for `sublabels` beside a loader that shuffles or gives its own.
    """
    known = None if sublabels is None else np.asarray(sublabels)
    sampler = getattr(loader, "sampler", None)
    if known is not None and isinstance(loader, DataLoader) and not isinstance(sampler, SequentialSampler):
        raise DataError(
            "the loader draws its samples in an order of its own, so sublabels cannot be matched to them.",
            "Let it give (inputs, labels, sublabels), or make it with shuffle=False.",
        )
    if isinstance(loader, Dataset):
        raise DataError("a Dataset gives samples, and batches are expected.", "Wrap it in a DataLoader.")
    start = 0
    for item in loader:
        given = None if known is None else known[start:]
        batch = _batch(item, given)
        start += len(batch)
        yield batch
    if known is not None and start != len(known):
        raise DataError(f"there are {len(known)} sublabels and {start} samples.")


def _batch(item: Any, sublabels: NDArray[Any] | None) -> Batch:
    if not isinstance(item, tuple | list) or len(item) not in (2, 3) or not all(map(_is_array, item[1:])):
        raise DataError(f"a batch is {_kind(item)}, not inputs and labels.", HINT)
    inputs = _inputs(item[0])
    count = len(inputs)
    labels = _labels(item[1], count, "labels")
    if len(item) == 3 and sublabels is not None:
        raise DataError("sublabels are given twice: with the batches and beside them.", "Leave one out.")
    if sublabels is not None and len(sublabels) < count:
        raise DataError("the sublabels end before the samples do.", "Give one for each sample.")
    if len(item) == 3:
        return Batch(inputs, labels, _labels(item[2], count, "sublabels"))
    return Batch(inputs, labels, None if sublabels is None else _labels(sublabels[:count], count, "sublabels"))


def _inputs(given: Any) -> Arguments:
    """One array, several by position, or several by name, as a network is called with them."""
    parts = given.values() if isinstance(given, Mapping) else given if isinstance(given, tuple | list) else (given,)
    if not parts or not all(_is_array(part) for part in parts):
        raise DataError(f"the inputs of a batch are {_kind(given)}, not arrays.", HINT)
    tensors = [torch.as_tensor(part) for part in parts]
    if len({len(tensor) if tensor.dim() else 0 for tensor in tensors}) > 1:
        raise DataError("the inputs of a batch have different numbers of samples.", HINT)
    if isinstance(given, Mapping):
        return Arguments(named=dict(zip(given, tensors, strict=True)))
    return Arguments(tuple(tensors))


def _labels(values: Any, count: int, name: str) -> NDArray[np.int64]:
    array = np.asarray(values.detach().cpu() if isinstance(values, Tensor) else values)
    if array.shape != (count,) or array.dtype.kind not in "iu":
        raise DataError(f"{name} are {array.dtype} of shape {array.shape}, expected ({count},) integers.", HINT)
    if array.min(initial=0) < 0:
        raise DataError(f"there are negative {name}.", "They count from 0.")
    return array.astype(np.int64)


def _is_array(value: object) -> bool:
    return isinstance(value, Tensor | np.ndarray)


def _kind(item: Any) -> str:
    if isinstance(item, tuple | list):
        return f"{type(item).__name__} of {', '.join(type(part).__name__ for part in item)}"
    return f"a {type(item).__name__}"


@contextlib.contextmanager
def generators_kept(loader: object) -> Iterator[None]:
    """Leave a loader's own random generators as they were, so that its next epoch is what it would have been."""
    owners = (loader, getattr(loader, "sampler", None), getattr(loader, "batch_sampler", None))
    found = [
        generator for owner in owners if isinstance(generator := getattr(owner, "generator", None), torch.Generator)
    ]
    states = [generator.get_state() for generator in found]
    try:
        yield
    finally:
        for generator, state in zip(found, states, strict=True):
            generator.set_state(state)
