"""c5: clusters inside a class that no label tells of (the paper's future work, section 4.6)."""

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
CELLS = 80
"""A column's thresholds lie in about so many cells, and are tried in the cells that may hold the best one."""
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
    x = columns - columns[:, count // 2, None].astype(np.float64)  # less the median, so that little cancels
    below, samples, above = np.split(x, grid.edges[[0, -1]], axis=1)
    samples = samples.reshape(len(x), -1, grid.size)
    sums = _running(below.sum(axis=1), samples @ np.ones(grid.size))
    squares = _running(np.vecdot(below, below), np.vecdot(samples, samples))
    whole = sums[:, -1:] + above.sum(axis=1)[:, None], squares[:, -1:] + np.vecdot(above, above)[:, None]
    parts = _parts(sums, squares, grid.below, count, *whole)
    scores = _at(parts, grid.divisor[grid.edges - grid.first])
    scores[columns[:, grid.edges - 1] == columns[:, grid.edges]] = 0.0
    best: Array = scores.max(axis=1)

    column, cell = np.nonzero(_bound(samples, parts, grid) > best[:, None])
    inside = samples[column, cell]
    upto = inside[:, :-1]
    sums = np.cumsum(upto, axis=1) + sums[column, cell, None]
    squares = np.cumsum(upto**2, axis=1) + squares[column, cell, None]
    parts_inside = _parts(sums, squares, grid.below_inside[cell], count, *(total[column] for total in whole))
    scores = _at(parts_inside, grid.divisor_inside[cell])
    scores[upto == inside[:, 1:]] = 0.0
    np.maximum.at(best, column, scores.max(axis=1, initial=0.0))

    close = np.minimum(parts.low, parts.high).min(axis=1) <= CLOSE * whole[1][:, 0] / count
    if close.any():
        best[close] = _scores_of_close(columns[close])
    return best


def _running(first: Array, steps: Array) -> Array:
    """`first` (m,), and what it grows to by `steps` (m, c), one after the other: (m, c + 1)."""
    return np.cumsum(np.concatenate([first[:, None], steps], axis=1), axis=1)


@dataclass(frozen=True)
class _Parts:
    """What the samples below thresholds of a column, and those above them, are like: means and variances (m, c)."""

    low_mean: Array
    high_mean: Array
    low: Array
    high: Array


def _parts(sums: Array, squares: Array, below: Array, count: int, total: Array, total_squares: Array) -> _Parts:
    """From `sums` and sums of `squares` (m, c) of the samples `below` each threshold, and of all `count`: (m, 1)."""
    above = count - below
    low_mean, high_mean = sums / below, (total - sums) / above
    low = squares / below - low_mean**2
    high = (total_squares - squares) / above - high_mean**2
    return _Parts(low_mean, high_mean, np.maximum(low, 0), np.maximum(high, 0))


def _at(parts: _Parts, divisor: Array) -> Array:
    """The score of each threshold (m, c)."""
    scores: Array = (parts.high_mean - parts.low_mean) / (np.sqrt(parts.low) + np.sqrt(parts.high) + EPSILON)
    scores /= divisor
    return scores


def _bound(samples: Array, parts: _Parts, grid: "_Grid") -> Array:
    """At least the score of every threshold of a cell, between its edges a < b: (m, c).

    With the sorted x, t samples more below the threshold than at a raise the mean of the lower part by t/(a + t) d or
    more, d = x_{a+1} - m_lo(a), and its sum of squares by a t/(a + t) d^2 or more; likewise the upper part from b.
    This leaves the gap of the means under a convex function of t, and so under its chord from a to b. The variances
    are over functions concave in 1/(a + t): over their chord where these grow with the part, over their end where they
    fall. So the score is under a chord over a product of two, the second that of the reference less its sag; with this
    product itself over its chord, but for a quarter of the two differences' product, the quotient is largest at a or b.
    """
    a, b = grid.below[:-1], grid.below[1:]
    above_a, above_b, t = grid.count - a, grid.count - b, b - a
    low_a, high_b = parts.low[:, :-1], parts.high[:, 1:]
    gap = parts.high_mean[:, 1:] - parts.low_mean[:, :-1]
    below = samples[:, :, 0] - parts.low_mean[:, :-1]
    above = parts.high_mean[:, 1:] - samples[:, :, -1]
    low_b = low_a * (a / b) + below**2 * (a * t / b**2)
    high_a = high_b * (above_b / above_a) + above**2 * (above_b * t / above_a**2)
    spread_a = np.sqrt(np.minimum(low_a, low_b)) + np.sqrt(high_a) + EPSILON
    spread_b = np.sqrt(low_b) + np.sqrt(np.minimum(high_a, high_b)) + EPSILON
    at = grid.reference[grid.edges - grid.first]
    at_a, at_b = at[:-1], at[1:]
    slack = np.maximum((spread_b - spread_a) * ((at_b - at_a) / 4), 0)
    slack += np.maximum(spread_a, spread_b) * grid.sag
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
    """The thresholds of a column of `count` samples, `first` to `last`, in cells of `size`."""

    count: int
    first: int
    last: int
    size: int
    edges: NDArray[np.intp]
    """(c + 1,) how many samples are below each cell, and below the end of the last, which may lie beyond `last`;"""
    below: Array
    """(c + 1,) the same as numbers,"""
    below_inside: Array
    """(c, size - 1) and below the thresholds inside the cells"""
    reference: Array
    """what a normal distribution gives from `first` on to the last edge,"""
    divisor: Array
    """the same up to `last` alone, infinity from there on,"""
    divisor_inside: Array
    """(c, size - 1) and inside the cells"""
    sag: Array
    """(c,) how far the reference is at most below its chord over a cell"""


@cache
def _grid(count: int) -> _Grid:
    first, last = max(1, -(-count // LEAST)), min((LEAST - 1) * count // LEAST, count - 1)
    size = max(1, count // CELLS)
    edges = np.arange(first, last + size, size)
    below = np.arange(first, edges[-1] + 1)
    normal = NormalDist()
    z = np.array([normal.inv_cdf(share) for share in below / count])
    p, f = below / count, np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    low = 1 - z * f / p - (f / p) ** 2
    high = 1 + z * f / (1 - p) - (f / (1 - p)) ** 2
    reference = (f / (1 - p) + f / p) / (np.sqrt(low) + np.sqrt(high))
    divisor = np.where(below <= last, reference, np.inf)
    rise = np.diff(reference)
    # It is convex: over its tangents at both ends, which meet no deeper than this.
    sag = size * (rise[size - 1 :: size] - rise[::size]) / 4
    inside = edges[:-1, None] + np.arange(1, size)
    return _Grid(
        count,
        first,
        last,
        size,
        edges,
        edges.astype(np.float64),
        inside.astype(np.float64),
        reference,
        divisor,
        divisor[inside - first],
        sag,
    )


BIMODALITY = Measure("bimodality", class_bimodality, over="neurons", groups="classes", symbol="$c_5$", settings=("k",))
