"""The spread of the cosine distances of all pairs of a set, without the pairs, and without sums that cancel.

With unit rows u_i = m + v_i, m their mean over M rows, and p_i = v_i.v_i, p their mean, the similarity of two rows is

    u_i.u_j = m.m + b_i + b_j + v_i.v_j,    b_i = m.v_i = (p - p_i) / 2.

Over the pairs i != j it has the mean 1 - sum p_i / (M - 1) and, with D = sum (p_i - p)^2, the variance

    (D (M + 2) / 2 + norm_F(V'V)^2 - sum p_i^2) / (M (M - 1)) - (sum p_i / (M (M - 1)))^2.

Every term is of the order of the variance itself, however tight the set is, so that V may be in float32, and V'V too
where that saves much. Only where there are about as few rows as neurons may all distances be equal but not small: there
the M x M matrix is taken.
"""

import numpy as np

from icc_cli.measures.directions import Centred
from icc_cli.measures.site import Array, Numbers

FLOAT32_FROM = 1024
"""Neurons from which V'V is taken in float32, at half the time: 3e-7 of the spread may be lost, and 2e-6 where all rows
hold the same few numbers."""
CONVERTED_ROWS = 512
"""Rows of float32 that are taken to float64 at a time: few enough to stay in a processor's cache."""


def few(samples: int, neurons: int) -> bool:
    """Whether all distances may be so nearly equal that float32 would lose their spread."""
    return samples < 2 * neurons


def factor_of(rows: Numbers) -> Numbers:
    """`rows` (M, n) of many, as V'V needs them: in float32 where it is taken in that."""
    return rows.astype(np.float32, copy=False) if rows.shape[1] >= FLOAT32_FROM else rows


def gram(rows: Numbers) -> Numbers:
    """V'V (n, n) of `rows` (M, n): in float64, but for so many neurons that it would take long.

    numpy sees that both factors are one array, and computes one triangle.
    """
    factor = rows if few(*rows.shape) else factor_of(rows)
    if factor.dtype == np.float64 or factor.shape[1] >= FLOAT32_FROM:
        product: Numbers = factor.T @ factor
        return product
    total = np.zeros((factor.shape[1], factor.shape[1]))
    held = np.empty((min(len(factor), CONVERTED_ROWS), factor.shape[1]))
    for start in range(0, len(factor), CONVERTED_ROWS):
        some = factor[start : start + CONVERTED_ROWS]
        block = held[: len(some)]
        block[:] = some
        total += block.T @ block
    return total


def spread_of_few(block: Centred, convention: str) -> float:
    """Standard deviation of the pairwise distances, from the M x M matrix of similarities; `block` is in float64."""
    count, total = block.count, float(block.squares.sum())
    pairs = count * (count - 1)
    if pairs == 0:
        return _spread(0.0, total, count, block.zeros, convention)
    similarity = block.rows @ block.rows.T
    shares = (total / count - block.squares) / 2
    similarity += shares[:, None]
    similarity += shares + total / pairs  # less the mean
    np.fill_diagonal(similarity, 0)
    variance = float(np.vdot(similarity, similarity)) / pairs
    return _spread(variance, total, count, block.zeros, convention)


def spread_of_many(block: Centred, product: Numbers, convention: str) -> float:
    """The same from V'V."""
    norm = float(np.square(product, dtype=np.float64).sum())
    squares = float(block.squares @ block.squares)
    return _spread_of_sums(block.count, block.zeros, float(block.squares.sum()), squares, norm, convention)


class Scatter:
    """Sums over blocks of unit rows about a point near all of them, from which the spread of the whole set follows."""

    def __init__(self, centre: Array) -> None:
        n = len(centre)
        self.centre = centre
        self._count = self._zeros = 0
        self._total = self._squares = 0.0
        self._shift, self._weighted = np.zeros(n), np.zeros(n)
        self._gram = np.zeros((n, n))
        self._offsets: list[Array] = []

    def add(self, block: Centred) -> None:
        """Add all of `block` but its V'V."""
        self._zeros += block.zeros
        if block.count == 0:
            return
        offset = block.mean - self.centre
        own = block.rows.dtype
        squares = block.squares + 2 * (block.rows @ offset.astype(own)) + offset @ offset
        total = float(squares.sum())
        self._count += block.count
        self._total += total
        self._squares += float(squares @ squares)
        self._shift += block.count * offset
        self._weighted += squares.astype(own) @ block.rows + total * offset
        self._offsets.append(np.sqrt(block.count) * offset)

    def add_gram(self, product: Numbers) -> None:
        """Add V'V of blocks that were added."""
        self._gram += product

    def merge(self, other: "Scatter") -> None:
        """Add the sums of `other`, which are about the same point."""
        self._count += other._count
        self._zeros += other._zeros
        self._total += other._total
        self._squares += other._squares
        self._shift += other._shift
        self._weighted += other._weighted
        self._gram += other._gram
        self._offsets += other._offsets

    def spread(self, convention: str) -> float:
        """Standard deviation of the pairwise distances. Ends the use of these sums."""
        if self._count < 2:
            return _spread(0.0, 0.0, self._count, self._zeros, convention)
        offsets = np.array(self._offsets)
        product = self._gram
        product += offsets.T @ offsets
        # From sums about the centre to sums about the mean, which lies `step` from it.
        step = self._shift / self._count
        moved, length = product @ step, float(step @ step)
        along = float(step @ moved)
        norm = float(np.vdot(product, product)) - 2 * self._count * along + (self._count * length) ** 2
        squares = self._squares - 4 * float(step @ self._weighted) + 4 * along
        squares += 2 * length * self._total - 3 * self._count * length**2
        total = self._total - self._count * length
        return _spread_of_sums(self._count, self._zeros, total, squares, norm, convention)


def _spread_of_sums(count: int, zeros: int, total: float, squares: float, norm: float, convention: str) -> float:
    """The spread from sum p, sum p^2 and norm_F(V'V)^2 about the mean."""
    pairs = count * (count - 1)
    if pairs == 0:
        return _spread(0.0, total, count, zeros, convention)
    deviation = squares - total**2 / count
    variance = (deviation * (count + 2) / 2 + norm - squares) / pairs - (total / pairs) ** 2
    return _spread(variance, total, count, zeros, convention)


def _spread(variance: float, total: float, count: int, zeros: int, convention: str) -> float:
    """The spread of the distances of `count` unit rows and `zeros` zero rows.

    `variance` is that over the pairs of unit rows, `total` their sum of p; a pair with a zero row is at distance 1.
    `paper`: over distinct pairs. `reference`: over the full matrix, its zero diagonal included.
    """
    everything = count + zeros
    if everything < 2:
        return 0.0
    lit = count * (count - 1) / (everything * (everything - 1))
    distance = total / (count - 1) if count > 1 else 0.0
    variance = lit * max(variance, 0.0) + lit * (1 - lit) * (1 - distance) ** 2
    if convention == "reference":
        share = (everything - 1) / everything
        variance = share * variance + share * (1 - share) * (1 - lit + lit * distance) ** 2
    return float(np.sqrt(variance))
