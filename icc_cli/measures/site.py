"""Where a measure reads pre-activations from: a block of rows, or a block of neurons, at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from icc_cli import pages

BLOCK_BYTES = 8 * 2**20
"""Upper bound on one block of float64 rows or float32 neurons: small enough to stay in a processor's cache."""
HELD_BYTES = 32 * 2**20
"""Rows up to this size (float64) are held at once where that saves work."""
RESIDENT_BYTES = 64 * 2**20
"""A site up to this size (float32) is read into memory once; a larger one is streamed, several times."""

TRANSPOSED = 10_000
"""Numbers transposed at a time: few enough for each line of the cache to be read once."""

SHORT_FROM = 2**20
"""Numbers in a site from which it is worked on in float32, where that is all it holds: it takes half the time."""

Array = NDArray[np.float64]
Numbers = NDArray[np.floating]
"""float32 or float64."""


class Site(Protocol):
    """Pre-activations (N, n) of one site, wherever they are kept."""

    @property
    def name(self) -> str: ...

    @property
    def shape(self) -> tuple[int, int]: ...

    def rows(self, start: int, stop: int) -> NDArray[np.floating]:
        """Rows start..stop as (stop - start, n), float16, float32 or float64."""
        ...


@dataclass(frozen=True)
class ArraySite:
    """A site held in memory: `values` (N, n)."""

    name: str
    values: NDArray[np.floating]

    @property
    def shape(self) -> tuple[int, int]:
        rows, neurons = self.values.shape
        return rows, neurons

    def rows(self, start: int, stop: int) -> NDArray[np.floating]:
        return self.values[start:stop]


@dataclass(frozen=True)
class Rectified:
    """The activations max(x, 0) of a site of pre-activations."""

    site: Site

    @property
    def name(self) -> str:
        return self.site.name

    @property
    def shape(self) -> tuple[int, int]:
        return self.site.shape

    def rows(self, start: int, stop: int) -> NDArray[np.floating]:
        rows: NDArray[np.floating] = np.maximum(self.site.rows(start, stop), 0)
        return rows


def in_memory(site: Site) -> bool:
    """Whether its rows are taken from memory."""
    return isinstance(site.site if isinstance(site, Rectified) else site, ArraySite)


def worth_keeping(site: Site) -> bool:
    """Whether a site of this size is small enough to be kept in memory."""
    return site.shape[0] * site.shape[1] * 4 <= RESIDENT_BYTES


def resident(site: Site) -> Site:
    """`site` read into memory when it is small enough to be kept there."""
    if in_memory(site):
        return site
    if not worth_keeping(site):
        pages.give_back()  # of smaller sites
        return site
    return ArraySite(site.name, site.rows(0, site.shape[0]))


def some_rows(site: Site, rows: NDArray[np.intp]) -> Numbers:
    """The rows of these numbers (m, n)."""
    if isinstance(site, ArraySite):
        return site.values[rows]
    if isinstance(site, Rectified):
        rectified: Numbers = np.maximum(some_rows(site.site, rows), 0)
        return rectified
    return np.concatenate([site.rows(row, row + 1) for row in rows.tolist()])


def may_hold(site: Site, count: int) -> bool:
    """Whether so many of the site's rows are few enough to be held at once, in float64."""
    return 8 * count * site.shape[1] <= HELD_BYTES


def row_blocks(site: Site, rows: slice, whole: bool = False) -> Iterator[Array]:
    """The given rows as float64 blocks, each a copy of at most BLOCK_BYTES (one row at least); one block if `whole`."""
    for stored in _stored_blocks(site, rows, whole):
        yield stored.astype(np.float64)


def small(site: Site) -> bool:
    """Whether the site is taken in float64, and each class in one block: Python takes longer than its arithmetic."""
    return site.shape[0] * site.shape[1] < SHORT_FROM


def short_blocks(site: Site, rows: slice, whole: bool = False) -> Iterator[NDArray[np.floating]]:
    """The same in float32, where the site is worth it and holds no more; not to be written to."""
    many = not small(site)
    for stored in _stored_blocks(site, rows, whole):
        yield np.asarray(stored, np.float32 if many and stored.dtype.itemsize <= 4 else np.float64)


def short_type(site: Site) -> np.dtype[np.floating]:
    """What `short_blocks` gives: float32 or float64."""
    return next(short_blocks(site, slice(0, 1))).dtype


def pieces(site: Site, rows: slice, whole: bool = False) -> Iterator[slice]:
    """`rows` in as many blocks as `row_blocks` gives."""
    step = rows.stop - rows.start if whole else max(1, BLOCK_BYTES // (8 * max(1, site.shape[1])))
    for start in range(rows.start, rows.stop, step):
        yield slice(start, min(start + step, rows.stop))


def _stored_blocks(site: Site, rows: slice, whole: bool) -> Iterator[NDArray[np.floating]]:
    for piece in pieces(site, rows, whole):
        yield site.rows(piece.start, piece.stop)


def times_read(site: Site) -> int:
    """How often `neuron_blocks` reads a site that is not in memory; 0 for one that is."""
    return 0 if in_memory(site) else -(-site.shape[1] // _neurons_at_once(site, site.shape[0]))


def _neurons_at_once(site: Site, count: int) -> int:
    size = BLOCK_BYTES if in_memory(site) else RESIDENT_BYTES
    return min(site.shape[1], max(1, size // (4 * count)))


def neuron_blocks(site: Site, rows: slice) -> Iterator[tuple[slice, NDArray[np.floating]]]:
    """(neurons, values) with `values` (neurons, rows) contiguous: a buffer that may be reordered, good until the next.

    A site in memory is cut into blocks of at most BLOCK_BYTES. One that is not is read whole for every block,
    so its blocks are as large as RESIDENT_BYTES allows.
    """
    count, neurons = rows.stop - rows.start, site.shape[1]
    step = _neurons_at_once(site, count)
    rows_at_once = max(1, TRANSPOSED // step)
    buffer: NDArray[np.floating] | None = None
    for first in range(0, neurons, step):
        chosen = slice(first, min(first + step, neurons))
        for piece in pieces(site, rows):
            block = site.rows(piece.start, piece.stop)[:, chosen]
            if buffer is None:
                buffer = np.empty((step, count), np.promote_types(block.dtype, np.float32))
            for row in range(0, len(block), rows_at_once):
                tile = block[row : row + rows_at_once]
                start = piece.start - rows.start + row
                # A copy lies close together, where rows of 1,024 bytes would fall on the same lines of the cache.
                buffer[: tile.shape[1], start : start + len(tile)] = tile.copy().T
        assert buffer is not None
        yield chosen, buffer[: chosen.stop - chosen.start]
