"""What a reviewer would ask about a Kendall table, said beside it."""

from collections.abc import Sequence

import numpy as np

from icc_cli.ranking.granulated import Granulated
from icc_cli.ranking.groups import Axis
from icc_cli.ranking.names import listed
from icc_cli.ranking.table import ModelTable
from icc_cli.ranking.values import Floats, canonical

FEW_GROUPS = 10
MANY_TIES = 0.1


def diagnose(
    table: ModelTable, axes: Sequence[Axis], measures: Sequence[str], values: Floats, result: Granulated
) -> list[str]:
    """Sentences on few groups, unbalanced grids, replicates, missing values, constant measures and ties."""
    lines = [*_axes(axes, len(table)), *_table(table)]
    absent = [f"{name} ({len(table) - n})" for name, n in zip(measures, result.models, strict=True) if n < len(table)]
    if absent:
        lines.append(f"models without a value, left out of the measure: {listed(absent)}.")
        if len({int(n) for n in result.models if n}) > 1 or any(0 < n < len(table) for n in result.models):
            lines.append("measures are ranked on different models; --common takes those that have every measure.")
    least, most = np.fmin.reduce(values, axis=0), np.fmax.reduce(values, axis=0)
    constant = [name for name, same in zip(measures, least == most, strict=True) if same]
    if constant:
        lines.append(f"the same for every model, so it ranks nothing: {listed(constant)}.")
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(result.pairs > 0, result.ties / result.pairs, 0.0)
    tied = [
        f"{name} on {axes[i].name} ({share[i, k]:.0%})"
        for i, k in np.argwhere(share > MANY_TIES)
        if (name := measures[k]) not in constant
    ]
    if tied:
        lines.append(f"many tied pairs: {listed(tied)}.")
    return lines


def _axes(axes: Sequence[Axis], models: int) -> list[str]:
    lines = []
    if not axes:
        lines.append(
            "no hyperparameter is known to vary, so there is no axis and no Psi, which needs groups of models that "
            "differ in one hyperparameter alone: tau is over all pairs. Give hyperparameters with --runs, columns with "
            "--hparams, or --model-arg when extracting."
        )
    empty = [axis.name for axis in axes if axis.groups == 0]
    if empty:
        lines.append(f"no two models differ in this alone, so it is left out of Psi: {listed(empty)}.")
    few = [f"{axis.name} ({axis.groups})" for axis in axes if 0 < axis.groups < FEW_GROUPS]
    if few:
        lines.append(f"few groups, so the value is uncertain: {listed(few)}.")
    uneven = [
        f"{axis.name} (groups of {', '.join(str(block.shape[1]) for block in axis.blocks)})"
        for axis in axes
        if len(axis.blocks) > 1
    ]
    if uneven:
        lines.append(f"unbalanced grid, every group weighs the same: {listed(uneven)}.")
    alone = [f"{axis.name} ({axis.alone} of {models})" for axis in axes if axis.groups and axis.alone]
    if alone:
        lines.append(f"models that differ from no other in this alone, and do not count there: {listed(alone)}.")
    return lines


def _table(table: ModelTable) -> list[str]:
    lines = []
    absent = [name for name, cells in table.hparams.items() if all(canonical(value) is None for value in cells)]
    if absent:
        lines.append(f"hyperparameters that no model has a value of: {listed(absent)}.")
    gaps = [
        f"{name} ({n})"
        for name, values in table.hparams.items()
        if 0 < (n := sum(canonical(value) is None for value in values)) < len(table)
    ]
    if gaps:
        lines.append(f"hyperparameters missing for some models, taken as a value of its own: {listed(gaps)}.")
    return lines
