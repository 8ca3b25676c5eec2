"""Count, mean and sum of squared deviations of every neuron over a group of samples, and how groups merge."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tests.measures.old.site import Array


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


def of_block(block: Array) -> Moments:
    """Moments of the rows of `block` (rows, n)."""
    with np.errstate(invalid="ignore"):
        # NaN and infinity go through to the mean, where whoever reads it looks for them.
        mean = block.mean(axis=0)
        centred = block - mean
    return Moments(len(block), mean, np.einsum("ij,ij->j", centred, centred))


def merged(parts: Iterable[Moments]) -> Moments:
    """Moments of all `parts` together; there must be one at least."""
    total: Moments | None = None
    for part in parts:
        total = part if total is None else total.merge(part)
    assert total is not None
    return total


def all_but_one(parts: Sequence[Moments]) -> list[Moments]:
    """For each of two or more `parts`, the moments of all the others together, by merging alone."""
    before: list[Moments | None] = [None]
    after: list[Moments | None] = [None]
    for part in parts[:-1]:
        before.append(part if before[-1] is None else before[-1].merge(part))
    for part in reversed(parts[1:]):
        after.append(part if after[-1] is None else part.merge(after[-1]))
    return [merged(side for side in pair if side is not None) for pair in zip(before, reversed(after), strict=True)]
