"""Axis values of many measures without each group's coefficient: sums over the groups are all that psi needs.

In a group of s models every measure without missing values has s (s - 1) / 2 pairs, so that the mean of tau over
groups of one size is the sum of their balances over the number of pairs. Measures are compared by rank, as integers
of 16 bits where there are few enough models.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from icc_cli.ranking.groups import Axis
from icc_cli.ranking.kendall import Convention, Counts, agreement, axis_values
from icc_cli.ranking.overall import CELLS_AT_ONCE, overall, overall_of_ranks
from icc_cli.ranking.ranks import Integers, Ranks, Truths, ranked
from icc_cli.ranking.uncertainty import Spread, Spreads
from icc_cli.ranking.values import Floats, Indices

ROWS_OF_A_BYTE = 255


@dataclass(frozen=True)
class Sums:
    """psi, groups, pairs, ties (A, K) of each axis and measure, and tau (K,) over all pairs of models."""

    psi: Floats
    groups: Counts
    pairs: Counts
    ties: Counts
    tau: Floats


@dataclass
class Sure:
    """Asks for the spread too: `configurations` (M,) numbers the models that agree on all but the seed."""

    configurations: Indices | None
    parts: list[Spread] = field(default_factory=list)
    columns: list[Indices] = field(default_factory=list)

    def take(self, spreads: Spreads, columns: Indices) -> None:
        """Keep the spread of some columns."""
        self.parts.append(spreads.spread)
        self.columns.append(columns)

    @property
    def spread(self) -> Spread:
        """The spread of all columns in their order."""
        return Spread.joined(self.parts).at(np.argsort(np.concatenate(self.columns)))


def axis_sums(
    values: Floats,
    target: Floats,
    axes: Sequence[Axis],
    convention: Convention = "paper",
    sure: Sure | None = None,
) -> Sums:
    """The table's numbers for `values` (M, K), NaN where a model has no value, some columns at a time.

    Costs M x K x s comparisons on an axis of groups of s models, and memory for a fixed number of cells
    beside the result.
    """
    shape = (len(axes), values.shape[1])
    groups, pairs, ties = (np.zeros(shape, dtype=np.int64) for _ in range(3))
    sums = Sums(np.full(shape, np.nan), groups, pairs, ties, np.full(shape[1], np.nan))
    by_target = np.argsort(target, kind="stable")
    place = np.empty_like(by_target)
    place[by_target] = np.arange(len(target))
    goal = target[by_target]
    # Models are numbered in the order of the target, and so is each group.
    blocks = [tuple(np.sort(place[block], axis=1) for block in axis.blocks) for axis in axes]
    # Where each group has its own number of pairs, its coefficient is needed.
    apart = np.isnan(values).any(axis=0) | (convention == "reference")
    even, uneven = np.flatnonzero(~apart), np.flatnonzero(apart)
    width = max(1, CELLS_AT_ONCE // max(1, len(values)))
    for start in range(0, len(even), width):
        columns = even[start : start + width]
        ranks = ranked(values[:, columns][by_target])
        _add_ranked(sums, ranks, goal, blocks, columns)
        if sure is not None:
            sure.take(_spreads_of_ranks(ranks, goal, blocks, axes, sure.configurations), columns)
    for start in range(0, len(uneven), width):
        columns = uneven[start : start + width]
        same = sure.configurations if sure is not None else None
        spreads = _add_by_group(sums, values[:, columns], target, axes, columns, convention, same)
        if sure is not None:
            sure.take(spreads, columns)
    return sums


def _add_ranked(sums: Sums, ranks: Ranks, goal: Floats, blocks: Sequence[Sequence[Indices]], columns: Indices) -> None:
    """Fill in `columns` from their ranks, the models in the order of the target."""
    sums.tau[columns] = overall_of_ranks(ranks, goal)
    tied = bool(ranks.tied.any())
    rank = np.ascontiguousarray(ranks.rank.T)
    for i, parts in enumerate(blocks):
        whole = np.zeros(len(columns))
        for block in parts:
            groups, size = block.shape
            pairs = size * (size - 1) // 2
            up, down = _rises_and_falls(rank, goal, block, tied)
            whole += (up - down) / pairs
            sums.groups[i, columns] += groups
            sums.pairs[i, columns] += groups * pairs
            sums.ties[i, columns] += groups * pairs - up - down
        if parts:
            sums.psi[i, columns] = whole / sums.groups[i, columns]


def _rises_and_falls(rank: Integers, goal: Floats, block: Indices, tied: bool) -> tuple[Indices, Indices]:
    """(k,) concordant and discordant pairs of all groups of `block` (G, s) together, from ranks (M, k).

    Without ties in the measures, pairs that are not concordant are discordant.
    """
    size = block.shape[1]
    placed = rank[block.T]
    goals = goal[block.T]
    up, down = (np.zeros(rank.shape[1], dtype=np.intp) for _ in range(2))
    for gap in range(1, size):
        upper, lower = placed[gap:], placed[: size - gap]
        differs = goals[gap:] > goals[: size - gap]
        every = bool(differs.all())
        rises = upper > lower
        risen = _sum_of_rows(rises if every else rises & differs[:, :, None])
        up += risen
        if tied:
            falls = upper < lower
            down += _sum_of_rows(falls if every else falls & differs[:, :, None])
        else:
            down += np.count_nonzero(differs) - risen
    return up, down


def _sum_of_rows(pairs: Truths) -> Indices:
    """(k,) how many of (p, G, k) are true. Bytes are added up first, 255 rows at a time, which is quickest."""
    rows = pairs.view(np.uint8).reshape(-1, pairs.shape[-1])
    whole = len(rows) - len(rows) % ROWS_OF_A_BYTE
    bytewise = rows[:whole].reshape(-1, ROWS_OF_A_BYTE, rows.shape[1]).sum(axis=1, dtype=np.uint8)
    count: Indices = bytewise.sum(axis=0, dtype=np.intp) + rows[whole:].sum(axis=0, dtype=np.uint8)
    return count


def _spreads_of_ranks(
    ranks: Ranks,
    goal: Floats,
    blocks: Sequence[Sequence[Indices]],
    axes: Sequence[Axis],
    configurations: Indices | None,
) -> Spreads:
    """The spread of measures without missing values; `blocks` number the models in the order of the target."""
    rank = np.ascontiguousarray(ranks.rank.T)
    tied = bool(ranks.tied.any())
    spreads = Spreads(len(axes), len(goal), rank.shape[1])
    for place, (axis, parts) in enumerate(zip(axes, blocks, strict=True)):
        if parts:
            taus = [_taus(rank, goal, block, tied) for block in parts]
            spreads.add(place, axis, np.concatenate(taus), configurations)
    return spreads


def _taus(rank: Integers, goal: Floats, block: Indices, tied: bool) -> Floats:
    """(G, k) coefficient of each group of `block` (G, s), from ranks (M, k)."""
    groups, size = block.shape
    placed, goals = rank[block.T], goal[block.T]
    pairs = size * (size - 1) // 2
    balance = np.zeros((groups, rank.shape[1]), dtype=np.int8 if pairs < 128 else np.int32)
    for gap in range(1, size):
        for low in range(size - gap):
            differs = goals[low + gap] > goals[low]
            rises = (placed[low + gap] > placed[low]).view(np.int8)
            falls = (placed[low + gap] < placed[low]).view(np.int8) if tied else 1 - rises
            step = rises - falls
            balance += step if differs.all() else step * differs[:, None]
    tau: Floats = balance / pairs
    return tau


def _add_by_group(
    sums: Sums,
    values: Floats,
    target: Floats,
    axes: Sequence[Axis],
    columns: Indices,
    convention: Convention,
    configurations: Indices | None,
) -> Spreads:
    """Fill in `columns` of any `values` (M, k) from each group's coefficient; gives their spread."""
    sums.tau[columns] = overall(values, target, convention)
    spreads = Spreads(len(axes), *values.shape)
    for i, axis in enumerate(axes):
        counts = agreement(values, target, axis.blocks, convention)
        sums.psi[i, columns] = axis_values(counts.tau)
        sums.groups[i, columns] = np.sum(counts.pairs > 0, axis=0)
        sums.pairs[i, columns] = counts.pairs.sum(axis=0, dtype=np.int64)
        sums.ties[i, columns] = counts.ties.sum(axis=0, dtype=np.int64)
        spreads.add(i, axis, counts.tau, configurations)
    return spreads
