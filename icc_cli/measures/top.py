"""mean^k: the mean of the k largest values; and the median."""

import numpy as np

from icc_cli.measures.site import Array

UNSCORED = -np.inf
"""Stands for a neuron without a score, which has no part in any mean."""


def keep_top(best: Array | None, scores: Array, k: int | None) -> Array:
    """The k largest of `best` and `scores` together in each row, in any order; all of them when k is None.

    `best` (g, at most k) or None, `scores` (g, n).
    """
    together = scores if best is None else np.concatenate([best, scores], axis=1)
    if k is None or together.shape[1] <= k:
        return together
    return np.partition(together, together.shape[1] - k, axis=1)[:, -k:]


def top_mean(scores: Array, k: int) -> Array:
    """Mean of the k largest of each row of `scores` (g, n), all of them when n < k: (g,)."""
    best = keep_top(None, scores, k)
    means: Array = best.mean(axis=1)
    if np.isneginf(means).any():
        scored = best != UNSCORED
        means = np.where(scored, best, 0.0).sum(axis=1) / scored.sum(axis=1)
    return means


def top_means(scores: Array) -> Array:
    """Mean of the k largest of each row of `scores` (g, n) for k = 1..n, from one sort: (g, n)."""
    descending = -np.sort(-scores, axis=1)
    if np.isneginf(descending).any():
        scored = descending != UNSCORED
        means: Array = np.cumsum(np.where(scored, descending, 0.0), axis=1) / np.cumsum(scored, axis=1)
        return means
    return np.cumsum(descending, axis=1) / np.arange(1, scores.shape[1] + 1)


def median(values: Array) -> Array:
    """The median over the first axis, as numpy's, which imports numpy.ma: a fifteenth of a small cache's time."""
    count = len(values)
    ordered = np.sort(values, axis=0)
    middle: Array = (ordered[(count - 1) // 2] + ordered[count // 2]) / 2
    return middle
