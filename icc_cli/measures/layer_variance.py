"""c4: variance of a class in the layer-level representations (section 2.3.2)."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from icc_cli.measures.declare import Measure
from icc_cli.measures.groups import ClassGroup
from icc_cli.measures.silhouette import unit_rows
from icc_cli.measures.site import Array, Site, may_hold, neuron_blocks, row_blocks
from icc_cli.measures.view import SiteView

EPSILON = 1e-7
PAPER_PERCENTILE = 75.0
ROUNDING = 1e-15
"""Variance of similarities (each 0..1) under which all are equal as far as float64 sums can tell."""


@dataclass(frozen=True)
class SimilaritySums:
    """Sums over a set of unit (or zero) rows u_1..u_count that give the spread of its pairwise distances."""

    count: int
    total: Array
    """sum of u (n,)"""
    gram_squares: float
    """||U'U||_F^2, the sum of squared similarities over all ordered pairs and the diagonal"""
    self_sum: float
    """sum of q = u . u"""
    self_squares: float
    """sum of q^2"""

    def spread(self, convention: str) -> float:
        """Standard deviation of the pairwise cosine distances, 0..1.

        `paper`: over distinct pairs. `reference`: over the full matrix, its zero diagonal included.
        """
        pairs = self.count * (self.count - 1)
        similarity = self.total @ self.total - self.self_sum
        squares = self.gram_squares - self.self_squares
        if convention == "reference":
            entries = self.count**2
            mean = (pairs - similarity) / entries
            variance = (pairs - 2 * similarity + squares) / entries - mean**2
        else:
            variance = squares / pairs - (similarity / pairs) ** 2
        return float(np.sqrt(variance)) if variance > ROUNDING else 0.0


def layer_variance(view: SiteView) -> Array | None:
    """Spread of each class relative to the data set's in one site: (classes,), at least 0.

        Sigma_C / (Sigma_D + 1e-7),  Sigma_E: std of the pairwise cosine distances in E

    after standardising each neuron over D, subtracting its percentile and applying ReLU. Dead neurons are left
    out; a class of fewer than two samples is NaN; None when no neuron is alive. The view's `convention`: see
    `percentile` and `SimilaritySums.spread`.
    """
    site, classes, convention = view.site, view.classes, view.convention
    live = np.flatnonzero(~view.dead)
    if len(live) == 0:
        return None
    if view.moments.count < 2:
        return np.full(len(classes), np.nan)
    threshold = percentiles(site, percentile(len(live), convention))[live]
    scale = 1 / (view.moments.std[live] + EPSILON)
    work = partial(_similarity_sums, site, live=live, threshold=threshold, scale=scale)
    with ThreadPoolExecutor(view.threads) as pool:
        parts = list(pool.map(work, _shares(classes, view.threads)))
    sums = [part for found, _ in parts for part in found]
    everything = _together(sums, sum((gram for _, gram in parts[1:]), start=parts[0][1]))
    denominator = everything.spread(convention) + EPSILON
    return np.array([part.spread(convention) / denominator if part.count >= 2 else np.nan for part in sums])


def percentile(live_neurons: int, convention: str) -> float:
    """The percentile under which a neuron counts as inactive: 75, or the authors' choice by width."""
    if convention == "reference":
        return float(max(min(round(100 - 1000 / live_neurons), 75), 0))
    return PAPER_PERCENTILE


def percentiles(site: Site, percent: float) -> Array:
    """The exact percentile of each neuron over all samples, linearly interpolated: (n,) float64."""
    count, neurons = site.shape
    position = percent * (count - 1) / 100  # in this order a whole position comes out whole
    lower = min(int(position), count - 1)
    fraction = position - lower
    result = np.empty(neurons)
    for chosen, values in neuron_blocks(site):
        values.partition(lower, axis=1)
        low = values[:, lower].astype(np.float64)
        high = values[:, lower + 1 :].min(axis=1) if fraction else low
        result[chosen] = low + fraction * (high - low)
    return result


def _similarity_sums(
    site: Site, classes: Sequence[ClassGroup], live: np.ndarray, threshold: Array, scale: Array
) -> tuple[list[SimilaritySums], Array]:
    """The sums of each class, and U'U of all their samples together.

    ||U'U||_F = ||UU'||_F, so a class of fewer samples than neurons costs its own small Gram matrix, and its rows wait
    for those of its neighbours before they go into the data set's U'U, which adds up over the classes.
    """
    whole = np.zeros((len(live), len(live)))
    waiting: list[Array] = []

    def add_waiting() -> None:
        if waiting:
            whole[...] += _gram(np.concatenate(waiting))
            waiting.clear()

    sums = []
    for group in classes:
        small = group.size < len(live) and may_hold(site, group.size)
        parts, gram = [], np.zeros(())
        for block in row_blocks(site, group.rows, whole=small):
            u = _active_directions(block, live, threshold, scale)
            parts.append(_linear_sums(u))
            if small:
                gram = _gram(u.T)
                waiting.append(u)
            else:
                gram = gram + _gram(u)
        if not small:
            whole += gram
        elif not may_hold(site, group.size + sum(len(u) for u in waiting)):
            add_waiting()
        total, self_sum, self_squares = (sum(terms) for terms in zip(*parts, strict=True))
        sums.append(SimilaritySums(group.size, total, float(np.vdot(gram, gram)), self_sum, self_squares))
    add_waiting()
    return sums, whole


def _together(parts: Sequence[SimilaritySums], gram: Array) -> SimilaritySums:
    """The sums of all samples together, from those of the classes and all samples' U'U."""
    return SimilaritySums(
        sum(part.count for part in parts),
        np.sum([part.total for part in parts], axis=0),
        float(np.vdot(gram, gram)),
        sum(part.self_sum for part in parts),
        sum(part.self_squares for part in parts),
    )


def _shares(classes: Sequence[ClassGroup], count: int) -> list[Sequence[ClassGroup]]:
    """`classes` in `count` runs of about as many, or fewer where there are fewer classes."""
    size = -(-len(classes) // count)
    return [classes[start : start + size] for start in range(0, len(classes), size)]


def _active_directions(block: Array, live: np.ndarray, threshold: Array, scale: Array) -> Array:
    """Unit rows of ReLU((block - threshold) x scale) over the live neurons; `block` is overwritten."""
    u = block if len(live) == block.shape[1] else block[:, live]
    u -= threshold
    u *= scale
    return unit_rows(np.maximum(u, 0, out=u))


def _linear_sums(u: Array) -> tuple[Array, float, float]:
    """Sum of the rows of `u` (rows, n), and the sums of q and q^2 with q = u . u."""
    q = np.einsum("ij,ij->i", u, u)
    return u.sum(axis=0), float(q.sum()), float(q @ q)


def _gram(u: Array) -> Array:
    """U'U (n, n) of `u` (rows, n). numpy sees that both factors are one array, and computes one triangle."""
    return u.T @ u


LAYER_VARIANCE = Measure(
    "c4", layer_variance, over="sites", groups="classes", symbol="$c_4$", settings=("layer_k", "convention")
)
