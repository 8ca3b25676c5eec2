"""Which models a granulated coefficient compares: those that differ in one hyperparameter alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from icc_cli.ranking.table import SEED, ModelTable
from icc_cli.ranking.values import Indices, codes, joint_codes


@dataclass(frozen=True)
class Axis:
    """One hyperparameter, and the groups of models that agree on every other one and on the seed.

    blocks    groups by size: (G, s) row indices, G groups of s >= 2 models between which it varies
    alone     models that are in no group
    clusters  (M,) integers, equal for the models that agree on every other hyperparameter, whatever their seed;
              None where that is a group
    """

    name: str
    blocks: tuple[Indices, ...]
    alone: int
    clusters: Indices | None = None

    @property
    def groups(self) -> int:
        return sum(len(block) for block in self.blocks)


def axes_of(table: ModelTable) -> tuple[Axis, ...]:
    """The axes of a table: each hyperparameter that varies, the seed apart.

    Models with different seeds are in different groups. A missing value is a value of its own.
    """
    coded = {name: codes(values) for name, values in table.hparams.items()}
    seed = coded.pop(SEED, np.zeros(len(table), dtype=np.intp))
    coded = {name: code for name, code in coded.items() if code.max(initial=0) > 0}
    seeded = bool(seed.max(initial=0) > 0)
    axes = []
    for (name, own), others in zip(coded.items(), _all_but_one(list(coded.values()), len(table)), strict=True):
        group = joint_codes([others, seed], len(table)) if seeded else others
        axes.append(_axis(name, own, group, others if seeded else None))
    return tuple(axes)


def _all_but_one(parts: Sequence[Indices], models: int) -> Iterator[Indices]:
    """For each part the joint codes of all others: of those before it, and of those after it."""
    after = [np.zeros(models, dtype=np.intp)]
    for part in parts[:0:-1]:
        after.append(joint_codes([part, after[-1]], models))
    before = after[0]
    for part in parts:
        yield joint_codes([before, after.pop()], models)
        before = joint_codes([before, part], models)


def _axis(name: str, own: Indices, group: Indices, clusters: Indices | None) -> Axis:
    """The axis `name` with levels `own` (M,): its groups are the models of equal `group` between which it varies."""
    order = np.argsort(group, kind="stable")
    sizes = np.bincount(group)
    starts = np.cumsum(sizes) - sizes
    level = own[order]
    varies = np.zeros(len(sizes), dtype=bool)
    if len(order):
        varies = np.maximum.reduceat(level, starts) > np.minimum.reduceat(level, starts)
    blocks = tuple(
        order[starts[(sizes == size) & varies][:, None] + np.arange(size)]
        for size in np.flatnonzero(np.bincount(sizes[varies])).tolist()
    )
    return Axis(name, blocks, int(np.sum(sizes[~varies])), clusters)
