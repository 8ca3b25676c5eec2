"""c2: layer-level silhouette score of the subclasses (section 2.2.2)."""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from icc_cli.measures.declare import Measure
from icc_cli.measures.site import Array

if TYPE_CHECKING:
    from icc_cli.measures.units import AtOnce, UnitRows
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
    means, between = found.means, found.scatters / sizes + found.silent / sizes
    if parts.at_once is not None:
        return _at_once(parts.at_once, between)
    totals = np.zeros(len(sizes))
    for number, part in parts:
        offsets = means - part.mean
        # The squared distances of each u from the mean of each subclass.
        distances = np.asarray(part.rows @ (-2 * offsets.T).astype(part.rows.dtype), np.float64)
        distances += part.squares[:, None]
        distances += np.vecdot(offsets, offsets)
        own = np.full(len(distances), number)
        totals[number] += _scores(distances, between, own, sizes, part.silent).sum()
    return np.asarray(totals / sizes)


def _at_once(found: "AtOnce", between: Array) -> Array:
    """The same for all rows together. The means are taken about that of them, so that close ones stay apart."""
    means, sizes, each = found.clusters.means, found.clusters.sizes, np.arange(len(found.rows))
    apart = np.array([np.vecdot(gaps, gaps) for gaps in (means - mean for mean in means)])
    along = found.rows @ (means - means.mean(axis=0)).T
    distances = found.squares[:, None] + 2 * (along[each, found.own][:, None] - along) + apart[found.own]
    scores = _scores(distances, between, found.own, sizes, found.silent)
    return np.asarray(np.bincount(found.own, scores, len(sizes)) / sizes)


def _scores(
    distances: Array, between: Array, own: NDArray[np.intp], sizes: NDArray[np.intp], silent: NDArray[np.bool_]
) -> Array:
    """Silhouettes (b,) of samples, each of the subclass `own` (b,), from the squared distances (b, S) of their u from
    the subclasses' means, which are overwritten. `between` (S,) is what the mean distance has more than that.

    A sample is at distance 0 from itself, also where it is a zero row, which is taken to be at 1 from the others.
    """
    each, count = np.arange(len(distances)), sizes[own]
    distances = (np.maximum(distances, 0, out=distances) + between + silent[:, None]) / 2
    inside = (count * distances[each, own] - silent) / np.maximum(count - 1, 1)
    distances[each, own] = np.inf
    nearest = distances.min(axis=1)
    larger = np.maximum(inside, nearest)
    scores = np.where(larger >= TINY_DISTANCE, (nearest - inside) / np.maximum(larger, TINY_DISTANCE), 0.0)
    return np.where(count > 1, scores, 0.0)


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
