"""c2: layer-level silhouette score of the subclasses (section 2.2.2)."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tests.measures.old.groups import ClassGroup
from tests.measures.old.site import Array, Site, may_hold, row_blocks

TINY_DISTANCE = 1e-12


def subclass_silhouettes(site: Site, classes: Sequence[ClassGroup]) -> Array:
    """Mean silhouette (cosine distance, post-ReLU activations) of each subclass within its class: (subclasses,).

    Classes of one subclass give no value. Exact, from sums over each subclass and no pairs: with u = x/|x|
    (0 for a zero row) and S_C the sum of u over C, the distances from i to the samples of C sum to
    |C| - u_i . S_C, less the self term 1 - u_i . u_i when i is in C. A sample alone in its subclass scores 0,
    and so does one whose mean distances are both under 1e-12.
    """
    values: list[float] = []
    for group in classes:
        if len(group.subclasses) >= 2:
            values.extend(_class_silhouettes(site, group))
    return np.array(values)


def _class_silhouettes(site: Site, group: ClassGroup) -> Array:
    sizes = np.array([rows.stop - rows.start for rows in group.subclasses])
    blocks = _Blocks(site, group, np.repeat(np.arange(len(sizes)), sizes))
    sums = np.zeros((len(sizes), site.shape[1]))
    for u, own in blocks:
        for subclass in range(own[0], own[-1] + 1):
            sums[subclass] += u[own == subclass].sum(axis=0)
    totals = np.zeros(len(sizes))
    for u, own in blocks:
        totals += np.bincount(own, _scores(u, own, sums, sizes), len(sizes))
    return np.asarray(totals / sizes)


def _scores(u: Array, own: NDArray[np.intp], sums: Array, sizes: NDArray[np.intp]) -> Array:
    """Silhouette of each row of `u` (rows, n), which is in the subclass `own` (rows,)."""
    rows = np.arange(len(u))
    distances = sizes - u @ sums.T
    inside = distances[rows, own] - (1 - np.einsum("ij,ij->i", u, u))
    inside = np.maximum(inside / np.maximum(sizes[own] - 1, 1), 0)
    distances /= sizes
    distances[rows, own] = np.inf
    nearest = np.maximum(distances.min(axis=1), 0)
    larger = np.maximum(inside, nearest)
    defined = (sizes[own] > 1) & (larger >= TINY_DISTANCE)
    return np.where(defined, (nearest - inside) / np.maximum(larger, TINY_DISTANCE), 0.0)


class _Blocks:
    """(u, own) for the rows of a class, a block at a time: ReLU(rows) at unit length, zero rows left zero, and the
    subclass of each. Goes over them as often as asked, and computes a class that may be held but once."""

    def __init__(self, site: Site, group: ClassGroup, own: NDArray[np.intp]) -> None:
        self._site, self._rows, self._own = site, group.rows, own
        self._held = list(self._computed()) if may_hold(site, group.size) else None

    def _computed(self) -> Iterator[tuple[Array, NDArray[np.intp]]]:
        start = 0
        for block in row_blocks(self._site, self._rows):
            yield unit_rows(np.maximum(block, 0, out=block)), self._own[start : start + len(block)]
            start += len(block)

    def __iter__(self) -> Iterator[tuple[Array, NDArray[np.intp]]]:
        return self._computed() if self._held is None else iter(self._held)


def unit_rows(activations: Array) -> Array:
    """Rows scaled in place to unit length; a zero row stays zero."""
    norms = np.sqrt(np.einsum("ij,ij->i", activations, activations))
    activations /= np.where(norms > 0, norms, 1)[:, None]
    return activations
