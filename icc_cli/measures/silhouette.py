"""c2: layer-level silhouette score of the subclasses (section 2.2.2)."""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from icc_cli.measures.declare import Measure
from icc_cli.measures.site import Array

if TYPE_CHECKING:
    from icc_cli.measures.units import UnitRows
    from icc_cli.measures.view import SiteView

TINY_DISTANCE = 1e-12


def subclass_silhouettes(view: "SiteView") -> Array:
    """Mean silhouette (cosine distance, post-ReLU activations) of each subclass within its class: (subclasses,).

    A class of one subclass has no value: NaN. Exact, from sums over each subclass and no pairs: with u = x/|x|
    (0 for a zero row), m_C the mean of u over C and P_C the sum of |u - m_C|^2, the distances from i to the samples of
    C have the mean (|u_i - m_C|^2 + P_C / |C|) / 2, in which nothing cancels, and half of 1 more for i, and for each
    sample of C, that is a zero row. A sample alone in its subclass scores 0, and so does one whose mean distances are
    both under 1e-12.
    """
    values: list[float] = []
    for number, group in enumerate(view.classes):
        if len(group.subclasses) < 2:
            values.extend([math.nan] * len(group.subclasses))
        else:
            values.extend(_class_silhouettes(view.features.units(number)))
    return np.array(values)


def _class_silhouettes(parts: "UnitRows") -> Array:
    found, sizes = parts.clusters, parts.clusters.sizes
    means, spread, alone = found.means, found.scatters / sizes, found.silent / sizes
    totals = np.zeros(len(sizes))
    for own, part in parts:
        offsets = means - part.mean
        # The squared distances of each u from the mean of each subclass.
        distances = np.asarray(part.rows @ (-2 * offsets.T).astype(part.rows.dtype), np.float64)
        distances += part.squares[:, None]
        distances += np.vecdot(offsets, offsets)
        distances = (np.maximum(distances, 0, out=distances) + spread + alone + part.silent[:, None]) / 2
        totals[own] += _scores(distances, own, sizes, part.silent).sum()
    return np.asarray(totals / sizes)


def _scores(distances: Array, own: int, sizes: NDArray[np.intp], silent: NDArray[np.bool_]) -> Array:
    """Silhouettes (b,) of samples of the subclass `own`, from their mean `distances` (b, S), which are overwritten.

    A sample is at distance 0 from itself, also where it is a zero row, which `distances` takes to be at 1.
    """
    if sizes[own] == 1:
        return np.zeros(len(distances))
    inside = (sizes[own] * distances[:, own] - silent) / (sizes[own] - 1)
    distances[:, own] = np.inf
    nearest = distances.min(axis=1)
    larger = np.maximum(inside, nearest)
    return np.where(larger >= TINY_DISTANCE, (nearest - inside) / np.maximum(larger, TINY_DISTANCE), 0.0)


SILHOUETTE = Measure(
    "c2",
    subclass_silhouettes,
    over="sites",
    groups="subclasses",
    average="median",
    symbol="$c_2$",
    settings=("layer_k",),
    version=2,
)
