"""c5: clusters inside a class that no label tells of (the paper's future work, section 4.6)."""

from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from icc_cli.measures.declare import Measure
from icc_cli.measures.site import Array
from icc_cli.measures.view import SiteView

EPSILON = 1e-7
PART_BYTES = 160 * 2**10
LEAST = 20
"""A threshold leaves at least 1/20 of the class on either side."""


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


BIMODALITY = Measure("bimodality", class_bimodality, over="neurons", groups="classes", symbol="$c_5$", settings=("k",))
