"""Columns of numbers as small integers in the same order, which compare several times faster."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from icc_cli.ranking.values import Floats, Indices

Integers = npt.NDArray[np.integer[Any]]
Truths = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Ranks:
    """K columns of M values without NaN.

    rank   (K, M) 0 for a column's least value, the same for equal values
    order  (K, M) the models from least to largest
    tied   (K,) how many pairs of models are equal
    """

    rank: Integers
    order: Integers
    tied: Indices


def ranked(values: Floats) -> Ranks:
    """The ranks of `values` (M, K), equal values in the order of the models."""
    models, measures = values.shape
    kind = narrowest(models)
    rank, order = (np.empty((measures, models), dtype=kind) for _ in range(2))
    tied = np.zeros(measures, dtype=np.intp)
    distinct = np.arange(models, dtype=kind)
    for k in range(measures):
        column = np.ascontiguousarray(values[:, k])
        by_value = np.argsort(column)
        ascending = column[by_value]
        rises = ascending[1:] != ascending[:-1]
        if rises.all():
            rank[k, by_value] = distinct
        else:
            by_value = np.argsort(column, kind="stable")
            level = np.concatenate([[0], np.cumsum(rises)])
            rank[k, by_value] = level
            tied[k] = pairs_within(level)
        order[k] = by_value
    return Ranks(rank, order, tied)


def pairs_within(code: Integers) -> int:
    """How many pairs of elements of `code` (M,), integers from 0, are equal."""
    count = np.bincount(code)
    return int(np.sum(count * (count - 1) // 2))


def narrowest(models: int) -> Any:
    """The smallest signed integers that hold -1 to the number of models."""
    return np.min_scalar_type(-models - 1)
