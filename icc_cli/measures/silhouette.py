"""c2: layer-level silhouette score of the subclasses (section 2.2.2)."""

from collections.abc import Iterator, Sequence

import numpy as np

from icc_cli.measures.groups import ClassGroup
from icc_cli.measures.site import HELD_BYTES, Array, Site, row_blocks, rows_per_block

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
    held = group.size <= rows_per_block(site, HELD_BYTES)
    subclasses = [_Directions(site, rows, held) for rows in group.subclasses]
    sums = np.array([sum(u.sum(axis=0) for u in subclass) for subclass in subclasses])
    sizes = np.array([rows.stop - rows.start for rows in group.subclasses])
    totals = np.zeros(len(sizes))
    for own, subclass in enumerate(subclasses):
        if sizes[own] > 1:
            totals[own] = sum(_scores(u, own, sums, sizes).sum() for u in subclass)
    return np.asarray(totals / sizes)


def _scores(u: Array, own: int, sums: Array, sizes: np.ndarray) -> Array:
    """Silhouette of each row of `u` (rows, n), all of them in subclass `own`."""
    distances = sizes - u @ sums.T
    distances[:, own] -= 1 - np.einsum("ij,ij->i", u, u)
    distances[:, own] /= sizes[own] - 1
    others = np.arange(len(sizes)) != own
    distances[:, others] /= sizes[others]
    inside = np.maximum(distances[:, own], 0)
    nearest = np.maximum(distances[:, others].min(axis=1), 0)
    larger = np.maximum(inside, nearest)
    return np.where(larger < TINY_DISTANCE, 0.0, (nearest - inside) / np.maximum(larger, TINY_DISTANCE))


class _Directions:
    """Blocks of ReLU(rows) at unit length, zero rows left zero: kept from the first pass for the second when `held`."""

    def __init__(self, site: Site, rows: slice, held: bool) -> None:
        self._site, self._rows = site, rows
        self._kept = list(self._computed()) if held else None

    def _computed(self) -> Iterator[Array]:
        for block in row_blocks(self._site, self._rows):
            yield unit_rows(np.maximum(block, 0, out=block))

    def __iter__(self) -> Iterator[Array]:
        return self._computed() if self._kept is None else iter(self._kept)


def unit_rows(activations: Array) -> Array:
    """Rows scaled in place to unit length; a zero row stays zero."""
    norms = np.sqrt(np.einsum("ij,ij->i", activations, activations))
    activations /= np.where(norms > 0, norms, 1)[:, None]
    return activations
