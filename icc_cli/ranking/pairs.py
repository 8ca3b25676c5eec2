"""Counts of pairs of models by the signs of two differences and by the cells that the models are in, without looking
at each pair.

In the order of the target, a pair (a, b) with a before b is concordant when the measure rises. Cut in halves again and
again, as in merge sort, each pair is in the two halves of one node. There, in the order of the measure, running sums of
the left half's models by cell say for each model of the right half how many of the left are below it: M log M steps for
each number of cells, in the place of M^2. Ties are ordered so that they are not counted.
"""

from typing import NamedTuple

import numpy as np

from icc_cli.ranking.values import Floats, Indices

SIGNS = 3


class _Level(NamedTuple):
    """Models of the left and of the right halves, node by node and by the measure within one; for each of the right,
    how many of the left come before it, and before its node."""

    left: Indices
    right: Indices
    before: Indices
    outside: Indices


class Pairs:
    """Pairs of M models with a measure and a target, (M,) each without NaN."""

    def __init__(self, measure: Floats, target: Floats) -> None:
        self._values = (measure, target)
        self._rising, self._falling = _levels(measure, target), _levels(-measure, target)

    def counts(self, cell: Indices, times: Floats | None = None) -> Floats:
        """(cells of a pair, 3, 3) numbers of ordered pairs by sign of the measure and of the target: -1, 0, 1.

        A pair of models is in the cell (cell[a], cell[b]), and counts times[a] times[b] when `times` (M,) is given. A
        model's pair with itself is not counted.
        """
        kinds = int(cell.max(initial=0)) + 1
        weight = np.ones(len(cell)) if times is None else times
        hot = np.zeros((len(cell), kinds))
        hot[np.arange(len(cell)), cell] = weight
        # [c, d]: a in c, b in d. Of both, a has less; of the target, a has less, and of the measure more; of either.
        both, crossed = _below(self._rising, hot), _below(self._falling, hot)
        measure, target = (_less(values, hot) for values in self._values)
        table = np.empty((kinds, kinds, SIGNS, SIGNS))
        table[:, :, 0, 0], table[:, :, 2, 2] = both, both.T
        table[:, :, 2, 0], table[:, :, 0, 2] = crossed, crossed.T
        table[:, :, 1, 0] = target - both - crossed
        table[:, :, 1, 2] = table[:, :, 1, 0].T
        table[:, :, 0, 1] = measure - both - crossed.T
        table[:, :, 2, 1] = table[:, :, 0, 1].T
        whole = hot.sum(axis=0)
        table[:, :, 1, 1] = 0.0
        table[:, :, 1, 1] = np.outer(whole, whole) - table.sum(axis=(2, 3)) - np.diag(np.square(hot).sum(axis=0))
        return table.reshape(kinds * kinds, SIGNS, SIGNS)


def _levels(measure: Floats, target: Floats) -> list[_Level]:
    models = len(target)
    rank = np.searchsorted(np.sort(measure), measure)
    # Those of one target from the highest measure to the lowest, so that none of them rises.
    sequence = np.lexsort((-rank, target))
    place = np.arange(models)
    levels = []
    size = 2
    while size < 2 * models:
        node, left = place // size, place % size < size // 2
        # Of one measure in a node, the right half first, so that nothing of the left is below it.
        by_measure = np.argsort((node * (models + 1) + rank[sequence]) * 2 + left)
        ahead = left[by_measure]
        count = np.concatenate([[0], np.cumsum(ahead)])
        right = np.flatnonzero(~ahead)
        start = node[by_measure[right]] * size
        ordered = sequence[by_measure]
        levels.append(_Level(ordered[ahead], ordered[right], count[right], count[start]))
        size *= 2
    return levels


def _below(levels: list[_Level], hot: Floats) -> Floats:
    """(k, k): for cells c and d, the weight of pairs that rise in both orders, the lower in c, the higher in d."""
    total = np.zeros((hot.shape[1], hot.shape[1]))
    for level in levels:
        running = np.zeros((len(level.left) + 1, hot.shape[1]))
        np.cumsum(hot[level.left], axis=0, out=running[1:])
        total += (running[level.before] - running[level.outside]).T @ hot[level.right]
    return total


def _less(values: Floats, hot: Floats) -> Floats:
    """(k, k): for cells c and d, the weight of pairs whose model in c has less than the one in d."""
    order = np.argsort(values, kind="stable")
    running = np.vstack([np.zeros((1, hot.shape[1])), np.cumsum(hot[order], axis=0)])
    lower: Floats = running[np.searchsorted(values[order], values)].T @ hot
    return lower
