"""Classes and subclasses as slices of rows that are ordered by class, then subclass."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from icc_cli.errors import FormatError


@dataclass(frozen=True)
class ClassGroup:
    """One class: its label, its rows, and the rows of each of its subclasses (empty without a hierarchy)."""

    label: int
    rows: slice
    subclasses: tuple[slice, ...]

    @property
    def size(self) -> int:
        return int(self.rows.stop - self.rows.start)

    @property
    def leaves(self) -> tuple[slice, ...]:
        """The finest groups that make up the class."""
        return self.subclasses or (self.rows,)

    @property
    def leaf_sizes(self) -> NDArray[np.intp]:
        """How many rows each of the leaves has."""
        return np.array([rows.stop - rows.start for rows in self.leaves])


def class_groups(labels: NDArray[np.integer], sublabels: NDArray[np.integer] | None) -> list[ClassGroup]:
    """The classes that occur, in order. `labels`, `sublabels` (N,).

    A subclass is a (class, sublabel) pair. FormatError when the rows are not ordered by class, then subclass.
    """
    if len(labels) == 0:
        raise FormatError("there are no samples to measure.")
    groups = []
    for rows in _runs(labels):
        subclasses: tuple[slice, ...] = ()
        if sublabels is not None:
            inner = _runs(sublabels[rows])
            subclasses = tuple(slice(rows.start + run.start, rows.start + run.stop) for run in inner)
        groups.append(ClassGroup(int(labels[rows.start]), rows, subclasses))
    return groups


def _runs(values: NDArray[np.integer]) -> list[slice]:
    if np.any(values[1:] < values[:-1]):
        raise FormatError("rows are not ordered by class, then subclass.", "Extract the cache again.")
    edges = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), len(values)]
    return [slice(start, stop) for start, stop in itertools.pairwise(edges)]
