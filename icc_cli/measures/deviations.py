"""Where the rows of each class lie, and how they lie about its mean: one reading for all that is made of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from icc_cli import pages
from icc_cli.measures.groups import ClassGroup
from icc_cli.measures.moments import SMALLEST
from icc_cli.measures.site import Array, Numbers, Rectified, Site, pieces, short_type, worth_keeping


@dataclass(frozen=True)
class Deviations:
    """The rows of a site (N, n) less the mean of their class, in memory or computed each time, and the means."""

    site: Site
    dtype: DTypeLike
    """float32 or float64, of what `of` gives"""
    leaf_means: Sequence[Array]
    """(S, n) of each class: the means of its subclasses; its own where it has none"""
    means: Array
    """(K, n) of the classes"""
    squares: Array
    """(N,) the squared lengths of the deviations"""
    kept: Numbers | None

    def of(self, number: int, rows: slice) -> Iterator[tuple[slice, Numbers]]:
        """Some rows of class `number`: where they are, and blocks (b, n), not to be written to."""
        for piece in pieces(self.site, rows):
            if self.kept is None:
                yield piece, _less(self.site.rows(piece.start, piece.stop), self.means[number], self.dtype, None)
            else:
                yield piece, self.kept[piece]


def deviations(site: Site, classes: Sequence[ClassGroup]) -> Deviations:
    """In float32 where `short_blocks` is, unless the squares are too large or too small for it."""
    found = _deviations(site, classes, short_type(site))
    largest = max(found.squares[group.rows].mean() for group in classes)
    if found.dtype == np.float64 or SMALLEST < largest < 1 / SMALLEST:
        return found
    return _deviations(site, classes, np.float64)


def _deviations(site: Site, classes: Sequence[ClassGroup], dtype: DTypeLike) -> Deviations:
    kept: Numbers | None = pages.empty(site.shape, dtype) if worth_keeping(site) else None
    leaf_means, means, squares = [], [], np.empty(site.shape[0])
    with np.errstate(over="ignore", invalid="ignore"):  # NaN and infinity go through to the means
        for group in classes:
            sums = np.zeros((len(group.leaves), site.shape[1]))
            for total, rows in zip(sums, group.leaves, strict=True):
                for piece in pieces(site, rows):
                    block = _read(site, piece, None if kept is None else kept[piece])
                    total += block.sum(axis=0, dtype=np.float64)
            sizes = group.leaf_sizes
            leaf_means.append(sums / sizes[:, None])
            means.append(mean_of(leaf_means[-1], sizes.tolist()))
            for piece in pieces(site, group.rows):
                into = None if kept is None else kept[piece]
                block = site.rows(piece.start, piece.stop) if into is None else into
                block = _less(block, means[-1], dtype, into)
                squares[piece] = np.vecdot(block, block)
    return Deviations(site, dtype, leaf_means, np.array(means), squares, kept)


def _read(site: Site, piece: slice, into: Numbers | None) -> Numbers:
    """Some rows, in `into` where that is given."""
    if into is not None and isinstance(site, Rectified):
        np.maximum(site.site.rows(piece.start, piece.stop), 0, out=into, casting="same_kind")
        return into
    block: Numbers = site.rows(piece.start, piece.stop)
    if into is None:
        return block
    into[:] = block
    return into


def _less(rows: Numbers, mean: Array, dtype: DTypeLike, into: Numbers | None) -> Numbers:
    """`rows` less `mean`, each number to its rounding."""
    near: Numbers = mean.astype(dtype)
    block: Numbers = np.subtract(rows, near, out=into, dtype=dtype)
    block -= (mean - near).astype(dtype)
    return block


def mean_of(means: Array, sizes: Sequence[int]) -> Array:
    """The mean (n,) of groups of so many rows from theirs (S, n): theirs, where they all have one."""
    mean: Array = means[0]
    count = sizes[0]
    for other, size in zip(means[1:], sizes[1:], strict=True):
        count += size
        mean = mean + (other - mean) * (size / count)
    return mean
