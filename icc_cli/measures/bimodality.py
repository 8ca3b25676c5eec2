"""c5: clusters inside a class that no label tells of (the paper's future work, section 4.6)."""

import math
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from icc_cli.measures.declare import Measure
from icc_cli.measures.site import Array
from icc_cli.measures.view import SiteView

EPSILON = 1e-7
PART_BYTES = 2560 * 2**10
LEAST = 20
"""A threshold leaves at least 1/20 of the class on either side."""
CELLS = 64
"""A column's thresholds are parted into about so many cells, and the cells that may hold the best one again."""
CLOSE = 1e-5
"""Share of the variance of a column under which that of a part is not taken from differences of sums."""
TINY = 1e-100


def class_bimodality(view: SiteView) -> Array:
    """How much better a threshold parts a class' pre-activations than it would a normal column: (classes, n).

        max_t g(t) / g_normal(p),  g(t) = (m_hi - m_lo) / (s_hi + s_lo + 1e-7)

    over the thresholds t that leave a share p in [.05, .95] of the class below t, m and s the means and population
    standard deviations of both parts. A normal column scores about 1, clear clusters 1.3 to 1.7. Equal values stay on
    one side. Dead neurons, and columns without a threshold, score 0; a class of fewer than two samples is NaN.
    """
    scores = np.full((len(view.classes), view.shape[1]), np.nan)
    for row, group in enumerate(view.classes):
        for chosen, values in view.neurons(group.rows) if group.size > 1 else ():
            values.sort(axis=1)
            scores[row, chosen] = column_scores(values)
    return np.where(view.dead & ~np.isnan(scores), 0.0, scores)


def column_scores(columns: NDArray[np.floating]) -> Array:
    """The scores (b,) of sorted `columns` (b, N), a few at a time, so that their sums stay in a processor's cache."""
    step = max(1, PART_BYTES // (8 * columns.shape[1]))
    return np.concatenate([_scores(columns[start : start + step]) for start in range(0, len(columns), step)])


def _scores(columns: NDArray[np.floating]) -> Array:
    """From sums up to the edges of cells of thresholds, and inside those cells that may hold a better one."""
    count = columns.shape[1]
    grid = _grid(count)
    x = np.subtract(columns, columns[:, count // 2, None], dtype=np.float64)  # less the median, so that little cancels
    below, samples, above = np.split(x, grid.edges[[0, -1]], axis=1)
    cells = _Cells.of(
        np.arange(len(x)),
        samples.reshape(len(x), -1, grid.split**2),
        grid.edges[None],
        below.sum(axis=1),
        np.vecdot(below, below),
        columns[:, grid.edges - 1] == columns[:, grid.edges],
    )
    whole = cells.sums[:, -1] + above.sum(axis=1), cells.squares[:, -1] + np.vecdot(above, above)
    parts = _parts(cells, count, *whole)
    best: Array = _at_edges(cells, parts, grid).max(axis=1)
    close = np.minimum(parts.low, parts.high).min(axis=1) <= CLOSE * whole[1] / count
    while cells.samples.shape[2] > 1:
        row, cell = np.nonzero(_bound(cells, parts, count, grid) > best[cells.column, None])
        cells = _inside(cells, row, cell, grid)
        parts = _parts(cells, count, *whole)
        np.maximum.at(best, cells.column, _at_edges(cells, parts, grid).max(axis=1))
    if close.any():
        best[close] = _scores_of_close(columns[close])
    return best


@dataclass(frozen=True)
class _Cells:
    """Rows of neighbouring cells (m, c), each of some thresholds of a sorted column x and of the samples between."""

    column: NDArray[np.intp]
    """(m,) which column"""
    samples: Array
    """(m, c, size)"""
    edges: NDArray[np.intp]
    """(m, c + 1), or (1, c + 1) for all rows: how many samples are below each cell, and below the end of the last"""
    sums: Array
    """(m, c + 1) of these samples,"""
    squares: Array
    """(m, c + 1) and of their squares"""
    tied: NDArray[np.bool_]
    """(m, c + 1) which edges part equal values, or have been tried"""

    @classmethod
    def of(
        cls,
        column: NDArray[np.intp],
        samples: Array,
        edges: NDArray[np.intp],
        sums: Array,
        squares: Array,
        tied: NDArray[np.bool_],
    ) -> "_Cells":
        """The same, `sums` and `squares` (m,) being those below the first cell of each row."""
        sums = np.concatenate([sums[:, None], samples @ np.ones(samples.shape[2])], axis=1)
        squares = np.concatenate([squares[:, None], np.vecdot(samples, samples)], axis=1)
        return cls(column, samples, edges, np.cumsum(sums, axis=1), np.cumsum(squares, axis=1), tied)


def _inside(cells: _Cells, row: NDArray[np.intp], cell: NDArray[np.intp], grid: "_Grid") -> _Cells:
    """Some of the cells, each parted into a row of others."""
    samples = cells.samples[row, cell].reshape(len(row), grid.split, cells.samples.shape[2] // grid.split)
    first = np.broadcast_to(cells.edges, cells.sums.shape)[row, cell, None]
    tied = np.ones((len(row), grid.split + 1), bool)
    tied[:, 1:-1] = samples[:, :-1, -1] == samples[:, 1:, 0]
    edges = first + samples.shape[2] * np.arange(grid.split + 1)
    return _Cells.of(cells.column[row], samples, edges, cells.sums[row, cell], cells.squares[row, cell], tied)


@dataclass(frozen=True)
class _Parts:
    """What the samples below an edge, and those above it, are like: means and variances (m, c + 1)."""

    low_mean: Array
    high_mean: Array
    low: Array
    high: Array


def _parts(cells: _Cells, count: int, sums: Array, squares: Array) -> _Parts:
    """Of columns of `count` samples with these sums and sums of squares (columns,)."""
    number = cells.edges.astype(np.float64)
    rest = count - number
    low_mean, high_mean = cells.sums / number, (sums[cells.column, None] - cells.sums) / rest
    low = cells.squares / number - low_mean**2
    high = (squares[cells.column, None] - cells.squares) / rest - high_mean**2
    return _Parts(low_mean, high_mean, np.maximum(low, 0), np.maximum(high, 0))


def _at_edges(cells: _Cells, parts: _Parts, grid: "_Grid") -> Array:
    """The score of each edge (m, c + 1)."""
    scores: Array = (parts.high_mean - parts.low_mean) / (np.sqrt(parts.low) + np.sqrt(parts.high) + EPSILON)
    scores /= grid.divisor[cells.edges - grid.first]
    scores[cells.tied] = 0.0
    return scores


def _bound(cells: _Cells, parts: _Parts, count: int, grid: "_Grid") -> Array:
    """At least the score of every threshold of a cell, between its edges a < b: (m, c).

    With the sorted x, t samples more below the threshold than at a raise the mean of the lower part by t/(a + t) d or
    more, d = x_{a+1} - m_lo(a), and its sum of squares by a t/(a + t) d^2 or more; likewise the upper part from b.
    This leaves the gap of the means under a convex function of t, and so under its chord from a to b. The variances
    are over functions concave in 1/(a + t): over their chord where these grow with the part, over their end where they
    fall. So the score is under a chord over a product of two, the second that of the reference less its sag; with this
    product itself over its chord, but for a quarter of the two differences' product, the quotient is largest at a or b.
    """
    at = grid.reference[cells.edges - grid.first]
    a, b = cells.edges[:, :-1].astype(np.float64), cells.edges[:, 1:].astype(np.float64)
    above_a, above_b, t = count - a, count - b, b - a
    low_a, high_b = parts.low[:, :-1], parts.high[:, 1:]
    gap = parts.high_mean[:, 1:] - parts.low_mean[:, :-1]
    below = cells.samples[:, :, 0] - parts.low_mean[:, :-1]
    above = parts.high_mean[:, 1:] - cells.samples[:, :, -1]
    low_b = low_a * (a / b) + below**2 * (a * t / b**2)
    high_a = high_b * (above_b / above_a) + above**2 * (above_b * t / above_a**2)
    spread_a = np.sqrt(np.minimum(low_a, low_b)) + np.sqrt(high_a) + EPSILON
    spread_b = np.sqrt(low_b) + np.sqrt(np.minimum(high_a, high_b)) + EPSILON
    at_a, at_b = at[:, :-1], at[:, 1:]
    slack = np.maximum((spread_b - spread_a) * ((at_b - at_a) / 4), 0)
    slack += np.maximum(spread_a, spread_b) * grid.sag[cells.samples.shape[2]][cells.edges[:, :-1] - grid.first]
    bound: Array = np.maximum(
        (gap - above * (t / above_a)) / np.maximum(spread_a * at_a - slack, TINY),
        (gap - below * (t / b)) / np.maximum(spread_b * at_b - slack, TINY),
    )
    return bound


def _scores_of_close(columns: NDArray[np.floating]) -> Array:
    """From sums in which nothing cancels, up to every threshold: for parts that are tight and far apart."""
    count = columns.shape[1]
    grid = _grid(count)
    below = np.arange(grid.first, grid.last + 1)
    x = columns.T.astype(np.float64)
    x -= x.mean(axis=0)
    low_mean, low_squares = _growing(x)
    high_mean, high_squares = _growing(x[::-1])
    low = slice(grid.first - 1, grid.last)
    high = slice(count - grid.first - 1, count - grid.last - 2 if grid.last + 1 < count else None, -1)
    spread = np.sqrt(low_squares[low] / below[:, None])
    spread += np.sqrt(high_squares[high] / (count - below)[:, None])
    ratio = (high_mean[high] - low_mean[low]) / (spread + EPSILON) / grid.reference[: len(below), None]
    ratio[x[low] == x[grid.first : grid.last + 1]] = 0.0
    best: Array = ratio.max(axis=0)
    return best


def _growing(x: Array) -> tuple[Array, Array]:
    """Mean and sum of squared deviations of the first 1..N rows of `x` (N, b); a sum of squares, so none can cancel."""
    number = np.arange(1, len(x) + 1)[:, None]
    means = np.cumsum(x, axis=0) / number
    steps = np.zeros_like(x)
    np.subtract(x[1:], means[:-1], out=steps[1:])
    steps *= steps
    steps[1:] *= number[:-1] / number[1:]
    return means, np.cumsum(steps, axis=0)


@dataclass(frozen=True)
class _Grid:
    """The thresholds of a column, `first` to `last`, in cells of `split`^2 that are parted into cells of `split`."""

    first: int
    last: int
    split: int
    edges: NDArray[np.intp]
    """(c + 1,) of the cells; the last may end beyond `last`"""
    reference: Array
    """what a normal distribution gives from `first` on to the last edge,"""
    divisor: Array
    """and the same up to `last` alone, infinity from there on"""
    sag: dict[int, Array]
    """for cells of each size that begin at a threshold: how far the reference is at most below its chord there"""


@cache
def _grid(count: int) -> _Grid:
    first, last = max(1, -(-count // LEAST)), min((LEAST - 1) * count // LEAST, count - 1)
    split = max(1, math.isqrt(count // CELLS))
    edges = np.arange(first, last + split**2, split**2)
    below = np.arange(first, edges[-1] + 1)
    normal = NormalDist()
    z = np.array([normal.inv_cdf(share) for share in below / count])
    p, f = below / count, np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    low = 1 - z * f / p - (f / p) ** 2
    high = 1 + z * f / (1 - p) - (f / (1 - p)) ** 2
    reference = (f / (1 - p) + f / p) / (np.sqrt(low) + np.sqrt(high))
    rise = np.diff(reference)
    # It is convex: over its tangents at both ends, which meet no deeper than this.
    sag = {size: size * (rise[size - 1 :] - rise[: len(rise) - size + 1]) / 4 for size in (split**2, split)}
    return _Grid(first, last, split, edges, reference, np.where(below <= last, reference, np.inf), sag)


BIMODALITY = Measure("bimodality", class_bimodality, over="neurons", groups="classes", symbol="$c_5$", settings=("k",))
