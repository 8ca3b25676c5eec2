"""c5: clusters inside a class that no label tells of (the paper's future work, section 4.6)."""

import itertools
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from icc_cli.measures.declare import Measure
from icc_cli.measures.site import Array
from icc_cli.measures.view import SiteView

EPSILON = 1e-7
PART_BYTES = 1280 * 2**10
LEAST = 20
"""A threshold leaves at least 1/20 of the class on either side."""
CELLS = 128
"""A column has about so many runs of thresholds; most are passed over at once, by a bound on all of a run."""
CLOSE = 1e-5
"""Share of the variance of a column under which that of a part is not taken from differences of sums."""


def class_bimodality(view: SiteView) -> Array:
    """How much better a threshold parts a class' pre-activations than it would a normal column: (classes, n).

        max_t g(t) / g_normal(p),  g(t) = (m_hi - m_lo) / (s_hi + s_lo + 1e-7)

    over the thresholds t that leave a share p in [.05, .95] of the class below t, m and s the means and population
    standard deviations of both parts. A normal column scores about 1, clear clusters 1.3 to 1.7. Equal values stay on
    one side. Dead neurons, and columns without a threshold, score 0; a class of fewer than two samples is NaN.
    """
    scores = np.full((len(view.classes), view.shape[1]), np.nan)
    for chosen, values in view.neurons():
        for row, group in enumerate(view.classes):
            if group.size >= 2:
                scores[row, chosen] = column_scores(np.sort(values[:, group.rows], axis=1))
    return np.where(view.dead & ~np.isnan(scores), 0.0, scores)


def column_scores(columns: NDArray[np.floating]) -> Array:
    """The scores (b,) of sorted `columns` (b, N), a few at a time, so that their sums stay in a processor's cache."""
    step = max(1, PART_BYTES // (8 * columns.shape[1]))
    return np.concatenate([_scores(columns[start : start + step]) for start in range(0, len(columns), step)])


def _scores(columns: NDArray[np.floating]) -> Array:
    """From sums up to some of the thresholds, and to those between that may be better than the best of these."""
    count = columns.shape[1]
    grid = _grid(count)
    x = columns.astype(np.float64)
    x -= x.mean(axis=1, keepdims=True)
    starts = np.append(0, grid.edges)
    sums = np.cumsum(np.add.reduceat(x, starts, axis=1), axis=1)[:, :-1]
    squares = np.cumsum(np.add.reduceat(x * x, starts, axis=1), axis=1)
    squares, total = squares[:, :-1], squares[:, -1:]
    parts = _Parts.of(grid.edges, count, sums, squares, total)
    ratio = parts.ratio() / grid.reference[grid.edges - grid.first]
    ratio[columns[:, grid.edges - 1] == columns[:, grid.edges]] = 0.0
    best: Array = ratio.max(axis=1)

    column, cell = np.nonzero(_bound(x, parts, grid) > best[:, None])
    number = grid.edges[cell][:, None] + np.arange(1, grid.step)
    within = number < grid.edges[cell + 1][:, None]
    number[~within] = grid.first
    place = column[:, None] * count + number
    last = x.take(place - 1)
    upto = sums[column, cell][:, None] + np.cumsum(last, axis=1)
    squares_upto = squares[column, cell][:, None] + np.cumsum(last * last, axis=1)
    inner = _Parts.of(number, count, upto, squares_upto, total[column]).ratio() / grid.reference[number - grid.first]
    inner[(last == x.take(place)) | ~within] = 0.0
    np.maximum.at(best, column, inner.max(axis=1, initial=0.0))

    close = np.minimum(parts.low, parts.high).min(axis=1) <= CLOSE * total[:, 0] / count
    if close.any():
        best[close] = _scores_of_close(columns[close])
    return best


@dataclass(frozen=True)
class _Parts:
    """What `number` samples below a threshold, and those above it, are like: means and variances, as broad as these."""

    low_mean: Array
    high_mean: Array
    low: Array
    high: Array

    @classmethod
    def of(cls, number: NDArray[np.intp], count: int, sums: Array, squares: Array, total: Array) -> "_Parts":
        """From the sums of x and x^2 of the `number` samples, where x has the sum 0 and its squares sum to `total`."""
        rest = count - number
        low_mean, high_mean = sums / number, -sums / rest
        low, high = squares / number - low_mean**2, (total - squares) / rest - high_mean**2
        return cls(low_mean, high_mean, np.maximum(low, 0), np.maximum(high, 0))

    def ratio(self) -> Array:
        """g of each threshold."""
        ratio: Array = (self.high_mean - self.low_mean) / (np.sqrt(self.low) + np.sqrt(self.high) + EPSILON)
        return ratio


def _bound(x: Array, parts: _Parts, grid: "_Grid") -> Array:
    """At least the score of every threshold between two neighbours a < b of the grid: (columns, cells).

    With the sorted x, t samples more below the threshold than at a raise the mean of the lower part by t/(a + t) d or
    more, d = x_{a+1} - m_lo(a), and its sum of squares by a t/(a + t) d^2 or more; likewise the upper part from b.
    These make the gap of the means convex in t, and the variances concave in 1/(a + t): extreme at the ends.
    """
    a, b, count = grid.edges[:-1], grid.edges[1:], x.shape[1]
    above_a, above_b, t = count - a, count - b, b - a
    low_mean, low = parts.low_mean[:, :-1], parts.low[:, :-1]
    high_mean, high = parts.high_mean[:, 1:], parts.high[:, 1:]
    below, above = x[:, a] - low_mean, high_mean - x[:, b - 1]
    gap = high_mean - low_mean - np.minimum(above * (t / above_a), below * (t / b))
    spread = np.sqrt(np.minimum(low, (low * a + below**2 * (a * t / b)) / b))
    spread += np.sqrt(np.minimum(high, (high * above_b + above**2 * (above_b * t / above_a)) / above_a))
    bound: Array = gap / (spread + EPSILON) / grid.smallest
    return bound


def _scores_of_close(columns: NDArray[np.floating]) -> Array:
    """From sums in which nothing cancels, up to every threshold: for parts that are tight and far apart."""
    count = columns.shape[1]
    below, reference = _thresholds(count)
    x = columns.T.astype(np.float64)
    x -= x.mean(axis=0)
    low_mean, low_squares = _growing(x)
    high_mean, high_squares = _growing(x[::-1])
    low = slice(below[0] - 1, below[-1])
    high = slice(count - below[0] - 1, count - below[-1] - 2 if below[-1] + 1 < count else None, -1)
    spread = np.sqrt(low_squares[low] / below[:, None])
    spread += np.sqrt(high_squares[high] / (count - below)[:, None])
    ratio = (high_mean[high] - low_mean[low]) / (spread + EPSILON) / reference[:, None]
    ratio[x[low] == x[below[0] : below[-1] + 1]] = 0.0
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


@cache
def _thresholds(count: int) -> tuple[NDArray[np.intp], Array]:
    """How many of `count` samples may lie below a threshold (m,), and what a normal distribution gives there (m,)."""
    below = np.arange(-(-count // LEAST), (LEAST - 1) * count // LEAST + 1)
    below = below[(below > 0) & (below < count)]
    normal = NormalDist()
    z = np.array([normal.inv_cdf(share) for share in below / count])
    p, f = below / count, np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    low = 1 - z * f / p - (f / p) ** 2
    high = 1 + z * f / (1 - p) - (f / (1 - p)) ** 2
    return below, (f / (1 - p) + f / p) / (np.sqrt(low) + np.sqrt(high))


@dataclass(frozen=True)
class _Grid:
    """Thresholds of a column: from `first` on with their `reference`, and every `step`th of them, the `edges`."""

    first: int
    reference: Array
    step: int
    edges: NDArray[np.intp]
    smallest: Array
    """of the reference between two edges"""


@cache
def _grid(count: int) -> _Grid:
    below, reference = _thresholds(count)
    step = max(1, count // CELLS)
    edges = np.unique(np.append(below[::step], below[-1]))
    at = edges - below[0]
    smallest = [reference[start : stop + 1].min() for start, stop in itertools.pairwise(at)]
    return _Grid(int(below[0]), reference, step, edges, np.array(smallest))


BIMODALITY = Measure("bimodality", class_bimodality, over="neurons", groups="classes", symbol="$c_5$", settings=("k",))
