"""Each group's coefficient, for one measure on one axis."""

from collections.abc import Sequence

import numpy as np

from icc_cli.ranking.groups import Axis
from icc_cli.ranking.kendall import Convention, agreement
from icc_cli.ranking.rows import Row, defined
from icc_cli.ranking.table import ModelTable
from icc_cli.ranking.values import Floats, codes


def explain(
    table: ModelTable, axis: Axis, measure: Floats, target: Floats, convention: Convention = "paper"
) -> list[Row]:
    """One row for each group: the hyperparameters that vary, models, pairs, ties, and tau.

    The axis itself holds all of the group's values, separated by spaces.
    `measure` (M,) is already multiplied by its direction. Rows are sorted by the hyperparameters.
    """
    counts = agreement(measure[:, None], target, axis.blocks, convention)
    tau = counts.tau[:, 0]
    others = [name for name, cells in table.hparams.items() if name != axis.name and codes(cells).max(initial=0) > 0]
    members: list[Sequence[int]] = [group.tolist() for block in axis.blocks for group in block]
    rows = []
    for i, group in enumerate(members):
        row: Row = {name: table.hparams[name][group[0]] for name in others}
        levels = dict.fromkeys(str(table.hparams[axis.name][member]) for member in group)
        row[axis.name] = " ".join(levels)
        row["models"] = int(np.sum(~np.isnan(measure[group])))
        row |= {"pairs": int(counts.pairs[i, 0]), "ties": int(counts.ties[i, 0]), "tau": defined(tau[i])}
        rows.append(row)
    return sorted(rows, key=lambda row: [str(row[name]) for name in others])
