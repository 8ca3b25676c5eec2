"""Count, mean and sum of squared deviations of every neuron over a group of samples, and how groups merge."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from icc_cli.measures.site import Array, Numbers

SUMMED_ROWS = 128
"""Squares summed in float32 at a time: few enough for the sum to keep seven digits."""
SMALLEST = 1e-25
"""Sum of squares from which float32 has its full precision."""


@dataclass(frozen=True)
class Moments:
    """`mean` and `m2` (n,): mean, and sum of squared deviations from it, of `count` samples."""

    count: int
    mean: Array
    m2: Array

    @property
    def std(self) -> Array:
        """Population standard deviation (n,)."""
        return np.sqrt(self.m2 / self.count)

    def merge(self, other: "Moments") -> "Moments":
        """Moments of both groups together (Chan, Golub & LeVeque 1979); no term can cancel."""
        count = self.count + other.count
        shift = other.mean - self.mean
        mean = self.mean + shift * (other.count / count)
        m2 = self.m2 + other.m2 + shift**2 * (self.count * other.count / count)
        return Moments(count, mean, m2)


def of_block(block: Numbers) -> Moments:
    """Moments of the rows of `block` (rows, n), float32 or float64, to the rounding of one number of its type."""
    with np.errstate(invalid="ignore", over="ignore"):
        # NaN and infinity go through to the mean, where whoever reads it looks for them.
        mean = block.mean(axis=0, dtype=np.float64)
        centre = mean.astype(block.dtype)
        m2 = _squares(block - centre) - len(block) * (mean - centre) ** 2
        if block.dtype != np.float64:
            beyond = np.flatnonzero(~((m2 > SMALLEST) & (m2 < np.inf)))
            if len(beyond):
                m2[beyond] = _squares(block[:, beyond] - mean[beyond])
    return Moments(len(block), mean, m2)


def of_leaves(block: Numbers, sizes: NDArray[np.intp]) -> list[Moments]:
    """Moments of each of the groups of so many rows that follow one another in `block` (rows, n), which is float64."""
    starts = np.cumsum(sizes) - sizes
    with np.errstate(invalid="ignore", over="ignore"):
        means = np.add.reduceat(block, starts, axis=0) / sizes[:, None]
        apart = block - np.repeat(means, sizes, axis=0)
        squares = np.add.reduceat(np.square(apart, out=apart), starts, axis=0)
    return [Moments(*of_one) for of_one in zip(sizes.tolist(), means, squares, strict=True)]


def _squares(rows: Numbers) -> Array:
    """Sums of squares (n,) of `rows` (rows, n), added in float64 from sums of a few in the rows' own type."""
    count = len(rows) // SUMMED_ROWS * SUMMED_ROWS
    runs = rows[:count].reshape(-1, SUMMED_ROWS, rows.shape[1])
    total: Array = np.einsum("kij,kij->kj", runs, runs).sum(axis=0, dtype=np.float64)
    total += np.einsum("ij,ij->j", rows[count:], rows[count:])
    return total


def merged(parts: Iterable[Moments]) -> Moments:
    """Moments of all `parts` together; there must be one at least."""
    total: Moments | None = None
    for part in parts:
        total = part if total is None else total.merge(part)
    assert total is not None
    return total


def all_but_one(counts: Array, means: Array, m2: Array) -> tuple[Array, Array]:
    """Mean and m2 (S, n) of all groups but one, for each of S >= 2 groups of `counts` (S,), `means` and `m2` (S, n).

    Each is the sum over the others, in which no term can cancel.
    """
    others = np.where(np.eye(len(counts), dtype=bool), 0.0, counts)
    totals = others.sum(axis=1, keepdims=True)
    outside = others @ means / totals
    squares = np.minimum(others, 1) @ m2
    for weights, mean, sum_of_squares in zip(others, outside, squares, strict=True):
        sum_of_squares += weights @ np.square(means - mean)
    return outside, squares
