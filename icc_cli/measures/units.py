"""The rows of a class at unit length, by subclass."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from icc_cli.measures.directions import Centred, Clusters, centred, clusters, rectified
from icc_cli.measures.groups import ClassGroup
from icc_cli.measures.site import Array, Numbers, Rectified, Site, may_hold, short_blocks, small


@dataclass(frozen=True)
class AtOnce:
    """All rows of a small class at unit length, each less the mean of its own leaf: `rows` v (M, n), which leaf that
    is, `own` (M,), their `squares` v.v (M,), and which of them are 0 and have no direction, `silent` (M,)."""

    rows: Numbers
    own: NDArray[np.intp]
    squares: Array
    silent: NDArray[np.bool_]
    clusters: Clusters


class UnitRows:
    """(leaf, directions) of a class, a block of rows at a time, zero rows among them. Goes over them as often as asked,
    and computes a class that may be held but once. `clusters` says how they lie about the mean of each leaf.

    In a small site the class is computed `at_once` instead.
    """

    def __init__(self, site: Site, group: ClassGroup) -> None:
        self._site, self._group = site, group
        self._held: list[tuple[int, Centred]] | None = None
        sizes = group.leaf_sizes
        self.at_once = self._at_once(sizes) if small(site) else None
        if self.at_once is not None:
            self.clusters = self.at_once.clusters
            return
        if may_hold(site, group.size):
            self._held = list(self._computed())
        self.clusters = clusters(self, sizes, site.shape[1])

    def _at_once(self, sizes: NDArray[np.intp]) -> AtOnce:
        ((_, given),) = self._blocks(self._group.rows, whole=True)
        rows = np.asarray(given(np.float64))
        starts, own = np.cumsum(sizes) - sizes, np.repeat(np.arange(len(sizes)), sizes)
        lengths = np.vecdot(rows, rows)
        silent = lengths == 0
        rows *= (1 / np.sqrt(np.where(silent, 1, lengths)))[:, None]
        means = np.add.reduceat(rows, starts, axis=0) / sizes[:, None]
        rows -= means[own]
        squares = np.vecdot(rows, rows)
        scatters, zeros = (np.add.reduceat(values, starts) for values in (squares, silent.astype(np.float64)))
        return AtOnce(rows, own, squares, silent, Clusters(sizes, means, scatters, zeros))

    def _blocks(self, rows: slice, whole: bool = False) -> Iterator[tuple[Numbers, partial[Numbers]]]:
        """Each block as it is stored, and what gives its activations in a type asked for, to be overwritten."""
        stored = self._site.site if isinstance(self._site, Rectified) else self._site
        for block in short_blocks(stored, rows, whole):
            yield block, partial(block.astype) if stored is self._site else partial(rectified, block)

    def _computed(self) -> Iterator[tuple[int, Centred]]:
        for number, rows in enumerate(self._group.leaves):
            for block, given in self._blocks(rows):
                yield number, centred(given, block.dtype == np.float64, silent=True)

    def __iter__(self) -> Iterator[tuple[int, Centred]]:
        return self._computed() if self._held is None else iter(self._held)
