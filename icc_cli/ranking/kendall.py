"""Granulated Kendall coefficients (Jiang et al. 2020; section 3.2 of the paper).

    tau_g = mean over the pairs (a, b) of group g of  sign(m_a - m_b) sign(t_a - t_b)
    psi_i = mean of tau_g over the groups of models that agree on every hyperparameter but the i-th
    Psi   = mean of psi_i over the axes

with m a measure and t the target. Groups are enumerated once for an axis and serve every measure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from icc_cli.ranking.values import Floats, Indices

Convention = Literal["paper", "reference"]
Counts = npt.NDArray[np.integer[Any]]

CELLS_AT_ONCE = 1 << 18
NARROW = 1 << 15


@dataclass(frozen=True)
class Agreement:
    """How K measures agree with the target in G groups; each array is (G, K).

    balance   concordant minus discordant pairs
    pairs     pairs that count
    ties      pairs tied in the measure, in the target, or in both
    """

    balance: Counts
    pairs: Counts
    ties: Counts

    @property
    def tau(self) -> Floats:
        """(G, K) coefficients in [-1, 1], NaN where no pair counts."""
        with np.errstate(invalid="ignore"):
            return np.where(self.pairs > 0, self.balance / self.pairs, np.nan)


def agreement(values: Floats, target: Floats, blocks: Sequence[Indices], convention: Convention = "paper") -> Agreement:
    """Count concordant, discordant and tied pairs inside each group.

    values (M, K) float64, NaN where a model has no value: its pairs are left out of that measure.
    target (M,) float64, finite. blocks: (G, s) row indices for each group size s.
    `paper` counts every pair, sign(0) being 0; `reference` leaves a pair tied in both out of `pairs`.
    Costs M x K x s comparisons, and memory for a fixed number of cells beside the result.
    """
    measures = values.shape[1]
    shape = (sum(len(block) for block in blocks), measures)
    balance, pairs, ties = (np.empty(shape, dtype=_kind(len(values))) for _ in range(3))
    width = max(1, CELLS_AT_ONCE // max(1, len(values)))
    for start in range(0, measures, width):
        columns = slice(start, start + width)
        chunk = np.ascontiguousarray(values[:, columns])
        row = 0
        for block in blocks:
            rows = slice(row, row + len(block))
            up, down, count, both = _count(chunk, target, block, convention)
            balance[rows, columns] = up - down
            pairs[rows, columns] = count - both
            ties[rows, columns] = count - up - down
            row += len(block)
    return Agreement(balance, pairs, ties)


def _count(
    values: Floats, target: Floats, block: Indices, convention: Convention
) -> tuple[Counts, Counts, Counts, Counts]:
    """Concordant, discordant, all, and (for `reference`) doubly tied pairs of each group; (G, K) each."""
    block = np.take_along_axis(block, np.argsort(target[block], axis=1, kind="stable"), axis=1)
    groups, size = block.shape
    goal = target[block]
    measured = values[block.ravel()].reshape(groups, size, values.shape[1])
    up, down, both = (np.zeros((groups, values.shape[1]), dtype=_kind(size)) for _ in range(3))
    for gap in range(1, size):
        higher, lower = measured[:, gap:], measured[:, : size - gap]
        differs = (goal[:, gap:] > goal[:, : size - gap])[:, :, None]
        tied = None if differs.all() else ~differs
        rises, falls = higher > lower, higher < lower
        if tied is not None:
            rises &= differs
            falls &= differs
            if convention == "reference":
                both += _along_group((higher == lower) & tied)
        up += _along_group(rises)
        down += _along_group(falls)
    absent = np.isnan(values).any()
    present: Counts = np.sum(~np.isnan(measured), axis=1, dtype=up.dtype) if absent else np.full_like(up, size)
    return up, down, present * (present - 1) // 2, both


def _kind(models: int) -> type[np.integer[Any]]:
    """Integers that hold the square of so many models: the narrow ones halve the memory of large tables."""
    return np.int32 if models < NARROW else np.int64


def _along_group(pairs: npt.NDArray[np.bool_]) -> Counts:
    """(G, K) how many of a group's pairs (G, p, K) are true; one pair needs no sum."""
    return pairs[:, 0].view(np.int8) if pairs.shape[1] == 1 else np.sum(pairs, axis=1, dtype=np.int32)


def axis_values(tau: Floats) -> Floats:
    """(K,) psi: the mean over the groups whose coefficient is defined, NaN where there is none."""
    return _mean(tau)


def total(psi: Floats) -> Floats:
    """(K,) Psi: the mean of the axes' (A, K) psi, axes without a value left out."""
    return _mean(psi)


def _mean(rows: Floats) -> Floats:
    defined = ~np.isnan(rows)
    count = defined.sum(axis=0)
    with np.errstate(invalid="ignore"):
        mean: Floats = np.where(defined, rows, 0.0).sum(axis=0) / count
    return mean
