"""The granulated Kendall table of many measures at once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from icc_cli.ranking.groups import Axis
from icc_cli.ranking.kendall import Convention, Counts, total
from icc_cli.ranking.partial import partial
from icc_cli.ranking.sums import Sure, axis_sums
from icc_cli.ranking.uncertainty import Spread
from icc_cli.ranking.values import Floats, Indices


@dataclass(frozen=True)
class Granulated:
    """A axes and K measures.

    psi, groups, pairs, ties (A, K); total (Psi) and tau (K,); models (K,) how many have the measure.
    `spread` says how sure psi and Psi are, when it was asked for.
    """

    psi: Floats
    groups: Counts
    pairs: Counts
    ties: Counts
    total: Floats
    tau: Floats
    models: Counts
    spread: Spread | None = None


def granulated(
    values: Floats,
    target: Floats,
    axes: Sequence[Axis],
    convention: Convention = "paper",
    configurations: Indices | None = None,
    sure: bool = False,
) -> Granulated:
    """Granulated Kendall coefficients of `values` (M, K), already multiplied by their directions.

    `sure` asks for the spread too; `configurations` (M,) numbers the models that agree on all but the seed.
    """
    errors = Sure(configurations) if sure and values.shape[1] else None
    sums = axis_sums(values, target, axes, convention, errors)
    models: Counts = np.sum(~np.isnan(values), axis=0, dtype=np.int64)
    spread = errors.spread if errors else None
    return Granulated(sums.psi, sums.groups, sums.pairs, sums.ties, total(sums.psi), sums.tau, models, spread)


def partially_granulated(values: Floats, target: Floats, given: Floats, axes: Sequence[Axis]) -> Granulated:
    """Partial coefficients, the (M,) `given` held fixed; groups, pairs and ties are those of measure and target."""
    result = granulated(values, target, axes)
    psi = np.array([partial(values, target, given, axis.blocks) for axis in axes]).reshape(len(axes), values.shape[1])
    everyone = (np.arange(len(values), dtype=np.intp)[None, :],)
    return replace(result, psi=psi, total=total(psi), tau=partial(values, target, given, everyone))
