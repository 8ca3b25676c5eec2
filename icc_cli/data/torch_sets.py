"""A torch Dataset as inputs that are read when they are needed. Imports no torch: who has one has imported it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icc_cli.data.inputs import Arguments, InputArrays, Inputs, arguments, as_input
from icc_cli.errors import DataError
from icc_cli.resources import free_memory

LABEL_KEYS = ("labels", "label", "target", "targets", "y")
SUBLABEL_KEYS = ("sublabels", "sublabel")
HINT = "Expected samples (input, label) or (input, label, sublabel), or dictionaries with a label."


@dataclass(frozen=True)
class DatasetInputs:
    """Rows of a map-style data set; each read gives the sample that its transforms make."""

    source: Any
    rows: NDArray[np.int64]
    where: str
    shapes: dict[str, tuple[int, ...]]

    def __len__(self) -> int:
        return len(self.rows)

    def arguments(self, rows: NDArray[np.int64]) -> Arguments:
        return arguments(self.read(rows))

    def select(self, rows: NDArray[np.int64]) -> "DatasetInputs":
        return DatasetInputs(self.source, self.rows[rows], self.where, self.shapes)

    def fingerprint(self) -> bytes:
        digest = hashlib.sha256()
        for row in range(len(self)):
            for array in self.read(np.array([row])).values():
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.digest()

    def read(self, rows: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """The inputs of `rows`, stacked, by name. DataError when their shapes differ."""
        samples = [_parts(self.source[int(row)], self.where)[0] for row in self.rows[rows]]
        for row, sample in zip(rows, samples, strict=True):
            shapes = {name: array.shape for name, array in sample.items()}
            if shapes != self.shapes:
                raise DataError(
                    f"sample {row} of {self.where} is {_shown(shapes)}, and the first is {_shown(self.shapes)}.",
                    "Pad or resize the samples to one shape.",
                )
        return {name: np.stack([sample[name] for sample in samples]) for name in self.shapes}


Read = tuple[Inputs | NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64] | None]


def read(source: Any, where: str) -> Read:
    """(samples, labels, sublabels or None) of a data set; in memory where half of what is free holds them.

    Samples of bytes (H, W, C), as Pillow's images are, become images, all others inputs.

    Raises DataError for samples without labels or of several shapes, and when one read twice is not the same, as
    with augmentation.
    """
    count = len(source)
    if count == 0:
        raise DataError(f"{where} is empty.")
    first, again = (_parts(source[0], where)[0] for _ in range(2))
    if any(not np.array_equal(first[name], again[name]) for name in first):
        raise DataError(
            f"{where} gives a different sample each time it is read.", "Leave out augmentation; icc measures without."
        )
    found = DatasetInputs(source, np.arange(count), where, {name: array.shape for name, array in first.items()})
    in_memory = count * sum(array.nbytes for array in first.values()) < free_memory() / 2
    rows: list[dict[str, NDArray[Any]]] = []
    labels: list[tuple[int, ...]] = []
    for row in range(count):
        sample, label = _parts(source[row], where)
        labels.append(label)
        if in_memory:
            rows.append(sample)
    if len({len(label) for label in labels}) > 1:
        raise DataError(f"some samples of {where} have sublabels, and some have none.", HINT)
    table = np.array(labels, np.int64)
    inputs = _stacked(rows, found) if in_memory else found
    return inputs, table[:, 0], table[:, 1] if table.shape[1] > 1 else None


def _stacked(rows: list[dict[str, NDArray[Any]]], found: DatasetInputs) -> InputArrays | NDArray[np.uint8]:
    for row, sample in enumerate(rows):
        if {name: array.shape for name, array in sample.items()} != found.shapes:
            found.read(np.array([row]))
    arrays = {name: np.stack([sample[name] for sample in rows]) for name in found.shapes}
    only = next(iter(arrays.values()))
    return only if only.dtype == np.uint8 and len(arrays) == 1 else InputArrays(arrays)


def _parts(sample: Any, where: str) -> tuple[dict[str, NDArray[Any]], tuple[int, ...]]:
    """The inputs of a sample by name, and its label and sublabel."""
    if isinstance(sample, Mapping):
        labels = [next((key for key in keys if key in sample), None) for keys in (LABEL_KEYS, SUBLABEL_KEYS)]
        inputs = {str(key): value for key, value in sample.items() if key not in labels}
        given = [sample[key] for key in labels if key is not None]
        complete = labels[0] is not None
    elif isinstance(sample, tuple | list) and len(sample) in (2, 3):
        inputs = dict(sample[0]) if isinstance(sample[0], Mapping) else _numbered(sample[0])
        given, complete = list(sample[1:]), True
    else:
        complete = False
    if not complete or not inputs:
        raise DataError(f"a sample of {where} is a {type(sample).__name__} without a label.", HINT)
    try:
        numbers = tuple(int(value) for value in given)
    except (TypeError, ValueError) as error:
        raise DataError(f"a label of {where} is not a whole number: {given}.", HINT) from error
    return {str(name): _array(value, len(inputs) == 1, where) for name, value in inputs.items()}, numbers


def _array(value: Any, alone: bool, where: str) -> NDArray[Any]:
    array: NDArray[Any] = np.asarray(value)
    if not (alone and array.dtype == np.uint8 and array.ndim in (2, 3)):
        array = as_input(array[None], "a sample", where)[0]
    return array


def _numbered(inputs: Any) -> dict[str, Any]:
    several = inputs if isinstance(inputs, tuple | list) and np.ndim(inputs[0]) else (inputs,)
    return {str(position): value for position, value in enumerate(several)}


def _shown(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(str(shape) for shape in shapes.values())
