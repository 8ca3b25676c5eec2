"""Where a measure reads pre-activations from: a block of rows, or a block of neurons, at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

BLOCK_BYTES = 8 * 2**20
"""Upper bound on one block of float64 rows or float32 neurons: small enough to stay in a processor's cache."""
HELD_BYTES = 32 * 2**20
"""Rows up to this size (float64) are held at once where that saves work."""
RESIDENT_BYTES = 64 * 2**20
"""A site up to this size (float32) is read into memory once; a larger one is streamed, several times."""

TRANSPOSED_ROWS = 256
"""Rows transposed at a time: few enough for each line of the cache to be read once."""

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


def resident(site: Site) -> Site:
    """`site` read into memory when it is small enough to be kept there."""
    count, neurons = site.shape
    if isinstance(site, ArraySite) or count * neurons * 4 > RESIDENT_BYTES:
        return site
    return ArraySite(site.name, site.rows(0, count))


def some_rows(site: Site, rows: NDArray[np.intp]) -> Numbers:
    """The rows of these numbers (m, n)."""
    if isinstance(site, ArraySite):
        return site.values[rows]
    return np.concatenate([site.rows(row, row + 1) for row in rows.tolist()])


def may_hold(site: Site, count: int) -> bool:
    """Whether so many of the site's rows are few enough to be held at once, in float64."""
    return 8 * count * site.shape[1] <= HELD_BYTES


def row_blocks(site: Site, rows: slice, whole: bool = False) -> Iterator[Array]:
    """The given rows as float64 blocks, each a copy of at most BLOCK_BYTES (one row at least); one block if `whole`."""
    for stored in _stored_blocks(site, rows, whole):
        yield stored.astype(np.float64)


def short_blocks(site: Site, rows: slice, whole: bool = False) -> Iterator[NDArray[np.floating]]:
    """The same in float32, where the site is worth it and holds no more; not to be written to."""
    many = site.shape[0] * site.shape[1] >= SHORT_FROM
    for stored in _stored_blocks(site, rows, whole):
        yield np.asarray(stored, np.float32 if many and stored.dtype.itemsize <= 4 else np.float64)


def _stored_blocks(site: Site, rows: slice, whole: bool) -> Iterator[NDArray[np.floating]]:
    step = rows.stop - rows.start if whole else max(1, BLOCK_BYTES // (8 * max(1, site.shape[1])))
    for start in range(rows.start, rows.stop, step):
        yield site.rows(start, min(start + step, rows.stop))


def times_read(site: Site) -> int:
    """How often `neuron_blocks` reads a site that is not in memory; 0 for one that is."""
    return 0 if isinstance(site, ArraySite) else -(-site.shape[1] // _neurons_at_once(site))


def _neurons_at_once(site: Site) -> int:
    count, neurons = site.shape
    size = BLOCK_BYTES if isinstance(site, ArraySite) else RESIDENT_BYTES
    return min(neurons, max(1, size // (4 * count)))


def neuron_blocks(site: Site) -> Iterator[tuple[slice, NDArray[np.floating]]]:
    """(neurons, values) with `values` (neurons, N) contiguous: a buffer that may be reordered, good until the next.

    A site in memory is cut into blocks of at most BLOCK_BYTES. One that is not is read whole for every block,
    so its blocks are as large as RESIDENT_BYTES allows.
    """
    count, neurons = site.shape
    step = _neurons_at_once(site)
    rows_step = max(1, BLOCK_BYTES // (8 * neurons))
    buffer: NDArray[np.floating] | None = None
    for first in range(0, neurons, step):
        chosen = slice(first, min(first + step, neurons))
        for start in range(0, count, rows_step):
            block = site.rows(start, min(start + rows_step, count))[:, chosen]
            if buffer is None:
                buffer = np.empty((step, count), np.promote_types(block.dtype, np.float32))
            for row in range(0, len(block), TRANSPOSED_ROWS):
                tile = block[row : row + TRANSPOSED_ROWS]
                # A copy lies close together, where rows of 1,024 bytes would fall on the same lines of the cache.
                buffer[: tile.shape[1], start + row : start + row + len(tile)] = tile.copy().T
        assert buffer is not None
        yield chosen, buffer[: chosen.stop - chosen.start]
