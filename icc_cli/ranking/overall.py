"""Kendall's tau over all pairs of models, for many measures, without looking at each pair.

With the models in the order of the target, a pair is concordant when the measure rises. A pair of positions i < j
and ranks r_i < r_j is counted in one of three ways, with positions and ranks cut into buckets of about sqrt(M):

    another bucket of position, and of rank    from the two-dimensional histogram, summed along both sides
    the same bucket of rank                    by comparison, in the order of the measure
    the same bucket of position only           by comparison, in the order of the target

Ties need no case of their own. Those in the measure are ordered like the target, and each counts one too many.
Those in the target are ordered one way, and then the other: in the mean of both a pair counts nothing.
"""

import numpy as np

from icc_cli.ranking.kendall import Convention
from icc_cli.ranking.ranks import Integers, Ranks, narrowest, pairs_within, ranked
from icc_cli.ranking.values import Floats, Indices, renumbered

CELLS_AT_ONCE = 1 << 18
LARGEST_BUCKET = 256


def overall(values: Floats, target: Floats, convention: Convention = "paper") -> Floats:
    """(K,) tau over all pairs of models, one group that ignores the hyperparameters; NaN where no pair counts.

    values (M, K), NaN where a model has no value; target (M,) finite. Costs about M sqrt(M) comparisons a measure.
    """
    tau = np.full(values.shape[1], np.nan)
    absent = np.isnan(values).any(axis=0)
    complete = np.flatnonzero(~absent)
    width = max(1, CELLS_AT_ONCE // max(1, len(values)))
    for start in range(0, len(complete), width):
        columns = complete[start : start + width]
        tau[columns] = _tau(values[:, columns], target, convention)
    for k in np.flatnonzero(absent).tolist():
        present = ~np.isnan(values[:, k])
        tau[k] = _tau(values[present, k : k + 1], target[present], convention)[0]
    return tau


def overall_of_ranks(ranks: Ranks, target: Floats, convention: Convention = "paper") -> Floats:
    """(K,) tau of measures whose models are sorted by the target already."""
    models = len(target)
    pairs = models * (models - 1) // 2
    level = np.concatenate([[0], np.cumsum(target[1:] != target[:-1])]) if models else np.zeros(0, dtype=np.intp)
    balance = 2 * rising_pairs(ranks.order) - pairs
    if pairs_within(level):
        # The place of each model when the models of one target are the other way round.
        start = np.searchsorted(level, level)
        end = np.searchsorted(level, level, side="right") - 1
        mirror = (start + end - np.arange(models)).astype(ranks.order.dtype)
        order = mirror[ranks.order]
        for k in np.flatnonzero(ranks.tied).tolist():
            order[k] = np.lexsort((np.arange(models), ranks.rank[k, mirror]))
        balance = (balance + 2 * rising_pairs(order) - pairs) // 2
    balance -= ranks.tied
    count = np.full(len(balance), pairs)
    if convention == "reference":
        for k in np.flatnonzero(ranks.tied).tolist():
            count[k] -= pairs_within(renumbered(level * models + ranks.rank[k]))
    with np.errstate(invalid="ignore"):
        tau: Floats = np.where(count > 0, balance / count, np.nan)
    return tau


def _tau(values: Floats, target: Floats, convention: Convention) -> Floats:
    order = np.argsort(target, kind="stable")
    return overall_of_ranks(ranked(values[order]), target[order], convention)


def rising_pairs(order: Integers) -> Indices:
    """(K,) the number of pairs i < j with order[i] < order[j] in each of K permutations, (K, M)."""
    measures, models = order.shape
    if models < 2:
        return np.zeros(measures, dtype=np.intp)
    size = 1 << min(LARGEST_BUCKET.bit_length() - 1, max(1, round(np.log2(models) / 2)))
    buckets = -(-models // size)
    place = np.arange(models)
    inverse = np.empty_like(order)
    np.put_along_axis(inverse, order.astype(np.intp), place.astype(order.dtype)[None, :], axis=1)
    digit = inverse // size
    counted = _within(order, size) + _within(digit.astype(narrowest(buckets)), size)
    code = digit.astype(np.intp) + place // size * buckets
    for k in range(measures):
        histogram = np.bincount(code[k], minlength=buckets * buckets).reshape(buckets, buckets)
        below = histogram[:-1, :-1].cumsum(axis=0).cumsum(axis=1)
        counted[k] += np.sum(histogram[1:, 1:] * below)
    return counted


def _within(rows: Integers, size: int) -> Indices:
    """(K,) the number of pairs i < j with row[i] < row[j] and i, j in one bucket of `size` neighbours; size <= 256."""
    measures, models = rows.shape
    buckets = -(-models // size)
    padded = np.full((measures, buckets * size), -1, dtype=rows.dtype)
    padded[:, :models] = rows
    place = np.ascontiguousarray(padded.reshape(measures, buckets, size).transpose(2, 0, 1)).reshape(size, -1)
    counted = np.zeros(place.shape, dtype=np.uint8)
    rises = np.empty(place.shape, dtype=np.bool_)
    for gap in range(1, size):
        np.less(place[: size - gap], place[gap:], out=rises[gap:])
        counted[gap:] += rises[gap:].view(np.uint8)
    found: Indices = counted.reshape(size, measures, buckets).sum(axis=(0, 2), dtype=np.intp)
    return found
