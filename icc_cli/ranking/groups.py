"""Which models a granulated coefficient compares: those that differ in one hyperparameter alone."""

from dataclasses import dataclass

import numpy as np

from icc_cli.ranking.table import SEED, Indices, ModelTable, codes, joint_codes


@dataclass(frozen=True)
class Axis:
    """One hyperparameter, and the groups of models that agree on every other one and on the seed.

    blocks   groups by size: (G, s) row indices, G groups of s >= 2 models
    alone    models that are in no group
    """

    name: str
    blocks: tuple[Indices, ...]
    alone: int

    @property
    def groups(self) -> int:
        return sum(len(block) for block in self.blocks)


def axes_of(table: ModelTable) -> tuple[Axis, ...]:
    """The axes of a table: each hyperparameter that varies, the seed apart.

    Models with different seeds are in different groups. A missing value is a value of its own.
    """
    coded = {name: codes(values) for name, values in table.hparams.items()}
    names = [name for name, code in coded.items() if name != SEED and code.max(initial=0) > 0]
    return tuple(
        _axis(name, joint_codes([code for other, code in coded.items() if other != name], len(table))) for name in names
    )


def _axis(name: str, group: Indices) -> Axis:
    """The axis whose groups are the models of equal `group`, an (M,) array of integers."""
    order = np.argsort(group, kind="stable")
    sizes = np.bincount(group)
    starts = np.cumsum(sizes) - sizes
    blocks = tuple(
        order[starts[sizes == size][:, None] + np.arange(size)]
        for size in np.flatnonzero(np.bincount(sizes)).tolist()
        if size >= 2
    )
    return Axis(name, blocks, int(np.sum(sizes == 1)))
