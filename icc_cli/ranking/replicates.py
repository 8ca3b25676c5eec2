"""Models of one configuration: averaged, or kept apart by a seed that says which of them belong together."""

from dataclasses import replace
from typing import Literal

import numpy as np

from icc_cli.errors import UsageError
from icc_cli.ranking.table import SEED, ModelTable, is_seed
from icc_cli.ranking.values import Indices, codes, joint_codes

Seeds = Literal["auto", "within", "average"]


def with_seed(table: ModelTable) -> tuple[ModelTable, list[str]]:
    """The table with its seed under the name `seed`, where one column alone is a seed by its name."""
    found = [name for name in table.hparams if is_seed(name)]
    if len(found) != 1 or found == [SEED]:
        return table, []
    hparams = {SEED if name == found[0] else name: cells for name, cells in table.hparams.items()}
    return replace(table, hparams=hparams), [f"{found[0]} is taken as the seed."]


def configurations(table: ModelTable) -> Indices:
    """(M,) integers, equal for the models that agree on every hyperparameter but the seed."""
    return joint_codes([codes(values) for name, values in table.hparams.items() if name != SEED], len(table))


def seed_separates(table: ModelTable) -> bool:
    """Whether seeds repeat over configurations, as in a grid that was trained once for each seed.

    More than half of the pairs of a seed and a configuration must be there: a seed drawn anew for every run pairs
    no models.
    """
    if SEED not in table.hparams or not len(table):
        return False
    configuration, seed = configurations(table), codes(table.hparams[SEED])
    cells = int(joint_codes([configuration, seed], len(table)).max()) + 1
    return 2 * cells > (int(configuration.max()) + 1) * (int(seed.max()) + 1)


def averaged(table: ModelTable, seeds: Seeds = "auto") -> tuple[ModelTable, list[str]]:
    """One row for each configuration (and seed, where it separates), and what a person should be told.

    Every column is averaged over the models that have a value in it. `within` keeps the seeds apart whatever they are,
    `average` never does; `auto` as `seed_separates` says. A seed that separates nothing is dropped. UsageError for
    `within` where there is no seed.
    """
    told = []
    if seeds == "within" and SEED not in table.hparams:
        raise UsageError("--seeds within needs a seed, and there is none.", "Name its column seed.")
    apart = SEED in table.hparams and (seeds == "within" or (seeds == "auto" and seed_separates(table)))
    if not apart and SEED in table.hparams:
        if seeds == "auto" and codes(table.hparams[SEED]).max(initial=0) > 0:
            told.append("seeds do not repeat over configurations, so that the seed separates no models.")
        table = replace(table, hparams={name: cells for name, cells in table.hparams.items() if name != SEED})
    same = joint_codes([codes(values) for values in table.hparams.values()], len(table))
    count = int(same.max(initial=-1)) + 1
    if count == len(table):
        return table, told
    merged = len(table) - count
    told.append(
        f"{len(table)} models are {count} configurations{' and seeds' if apart else ''}: "
        f"{merged} replicates are averaged with another."
    )
    return _mean_rows(table, same, count), told


def _mean_rows(table: ModelTable, same: Indices, count: int) -> ModelTable:
    first = np.full(count, len(table))
    np.minimum.at(first, same, np.arange(len(table)))
    present = ~np.isnan(table.values)
    total, weight = np.zeros((count, len(table.columns))), np.zeros((count, len(table.columns)))
    with np.errstate(invalid="ignore", divide="ignore"):
        np.add.at(total, same, np.where(present, table.values, 0.0))
        np.add.at(weight, same, present)
        means = total / weight
    return replace(table.take(first), values=means)
