"""c4: variance of a class in the layer-level representations (section 2.3.2)."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike

from icc_cli.measures.declare import Measure
from icc_cli.measures.directions import Centred, centred
from icc_cli.measures.pairs import Scatter, factor_of, few, gram, spread_of_few, spread_of_many
from icc_cli.measures.percentile import percentiles
from icc_cli.measures.site import Array, Numbers, Site, may_hold, short_blocks

if TYPE_CHECKING:
    from icc_cli.measures.groups import ClassGroup
    from icc_cli.measures.view import SiteView

EPSILON = 1e-7
PAPER_PERCENTILE = 75.0
CENTRE_ROWS = 256
"""Samples whose mean is the point that sums over all are taken about: near them if they are close together."""

Directions = Callable[[slice, bool, bool], Iterator[Centred]]
"""Blocks of the directions of some rows: one block if the first flag says so, in float64 if the second does."""


def layer_variance(view: "SiteView") -> Array | None:
    """Spread of each class relative to the data set's in one site: (classes,), at least 0.

        Sigma_C / (Sigma_D + 1e-7),  Sigma_E: std of the pairwise cosine distances in E

    after standardising each neuron over D, subtracting its percentile and applying ReLU. Dead neurons are left
    out; a class of fewer than two samples is NaN; None when no neuron is alive. The view's `convention`: see
    `percentile` and `pairs`.
    """
    live = np.flatnonzero(~view.dead)
    if len(live) == 0:
        return None
    samples = view.shape[0]
    if samples < 2:
        return np.full(len(view.classes), np.nan)
    threshold = percentiles(view.site, percentile(len(live), view.convention))[live]
    scale = 1 / (view.moments.std[live] + EPSILON)
    directions = partial(_directions, view.site, live, threshold, scale)
    if samples <= len(live) or _are_few(view.site, samples, len(live)):
        spreads, whole = _of_few_samples(view, directions)
    else:
        spreads, whole = _of_many_samples(view, directions, len(live))
    return spreads / (whole + EPSILON)


def percentile(live_neurons: int, convention: str) -> float:
    """The percentile under which a neuron counts as inactive: 75, or the authors' choice by width."""
    if convention == "reference":
        return float(max(min(round(100 - 1000 / live_neurons), 75), 0))
    return PAPER_PERCENTILE


def _of_few_samples(view: "SiteView", directions: Directions) -> tuple[Array, float]:
    """The spread of each class and of the data set, every one from its matrix of similarities."""

    def spread(rows: slice) -> float:
        (block,) = directions(rows, True, True)
        return spread_of_few(block, view.convention)

    spreads = [spread(group.rows) if group.size > 1 else np.nan for group in view.classes]
    return np.array(spreads), spread(slice(0, view.shape[0]))


def _of_many_samples(view: "SiteView", directions: Directions, live: int) -> tuple[Array, float]:
    """The same from sums over the rows; the data set's V'V adds up over the classes."""
    work = partial(_sums, view, directions, _centre(directions, view.shape[0], live))
    shares = _shares(view.classes, view.threads)
    if len(shares) == 1:
        parts = [work(shares[0])]
    else:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(len(shares)) as pool:
            parts = list(pool.map(work, shares))
    whole = parts[0][1]
    for _, other in parts[1:]:
        whole.merge(other)
    return np.array([spread for spreads, _ in parts for spread in spreads]), whole.spread(view.convention)


def _centre(directions: Directions, samples: int, live: int) -> Array:
    """The mean of the first rows that have a direction (live,), 0 where none has one."""
    for start in range(0, samples, CENTRE_ROWS):
        for block in directions(slice(start, min(start + CENTRE_ROWS, samples)), True, False):
            if block.count:
                return block.mean
    return np.zeros(live)


def _sums(
    view: "SiteView", directions: Directions, centre: Array, classes: Sequence["ClassGroup"]
) -> tuple[list[float], Scatter]:
    """The spread of each of `classes`, and the sums of all their samples about `centre`."""
    whole = Scatter(centre)
    waiting = _Waiting(view.site, whole)
    spreads = []
    for group in classes:
        if not may_hold(view.site, group.size):
            spread = _spread_of_large(group, directions, whole, view.convention)
        else:
            (block,) = directions(group.rows, True, few(group.size, len(centre)))
            whole.add(block)
            if _are_few(view.site, group.size, len(centre)):
                spread = spread_of_few(block, view.convention)
                waiting.add(block.rows)
            else:
                product = gram(block.rows)
                whole.add_gram(product)
                spread = spread_of_many(block, product, view.convention)
        spreads.append(spread if group.size > 1 else np.nan)
    waiting.flush()
    return spreads, whole


def _spread_of_large(group: "ClassGroup", directions: Directions, whole: Scatter, convention: str) -> float:
    """The spread of a class that is not held at once; its sums are added to `whole` too."""
    own: Scatter | None = None
    for block in directions(group.rows, False, few(group.size, len(whole.centre))):
        own = own or Scatter(block.mean)
        product = gram(block.rows)
        for sums in (own, whole):
            sums.add(block)
            sums.add_gram(product)
    assert own is not None
    return own.spread(convention)


class _Waiting:
    """Rows of small classes, whose V'V is added to the data set's once there are enough to make it worth a product."""

    def __init__(self, site: Site, whole: Scatter) -> None:
        self._site = site
        self._whole = whole
        self._rows: list[Numbers] = []
        self._count = 0

    def add(self, rows: Numbers) -> None:
        self._rows.append(factor_of(rows))
        self._count += len(rows)
        if not may_hold(self._site, self._count):
            self.flush()

    def flush(self) -> None:
        if self._rows:
            self._whole.add_gram(gram(np.concatenate(self._rows)))
        self._rows, self._count = [], 0


def _are_few(site: Site, samples: int, neurons: int) -> bool:
    """Whether there are so few samples that all may be about as far from each other; and their matrix may be held."""
    return 4 * samples < 5 * neurons and may_hold(site, samples)


def _shares(classes: Sequence["ClassGroup"], count: int) -> list[Sequence["ClassGroup"]]:
    """`classes` in `count` runs of about as many, or fewer where there are fewer classes."""
    size = -(-len(classes) // count)
    return [classes[start : start + size] for start in range(0, len(classes), size)]


def _directions(
    site: Site, live: np.ndarray, threshold: Array, scale: Array, rows: slice, whole: bool, exact: bool
) -> Iterator[Centred]:
    """The directions of the active part of the live neurons, block by block."""
    for every in short_blocks(site, rows, whole):
        block = every if len(live) == every.shape[1] else every[:, live]
        yield centred(partial(_active, block, threshold, scale), exact or block.dtype == np.float64, silent=False)


def _active(block: Numbers, threshold: Array, scale: Array, dtype: DTypeLike) -> Numbers:
    """ReLU((block - threshold) x scale), a new array of this type, each number to its rounding."""
    near: Numbers = threshold.astype(dtype)
    active: Numbers = np.subtract(block, near, dtype=dtype)
    active *= scale.astype(dtype)
    if near.dtype != threshold.dtype:
        active -= ((threshold - near) * scale).astype(dtype)
    np.maximum(active, 0, out=active)
    return active


LAYER_VARIANCE = Measure(
    "c4", layer_variance, over="sites", groups="classes", symbol="$c_4$", settings=("layer_k", "convention"), version=3
)
