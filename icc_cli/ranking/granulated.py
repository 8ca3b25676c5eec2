"""The granulated Kendall table of many measures at once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from icc_cli.ranking.bootstrap import Bootstrap, Shared, Spread, draw, influence, spread
from icc_cli.ranking.groups import Axis
from icc_cli.ranking.kendall import Convention, Counts, agreement, total
from icc_cli.ranking.partial import partial
from icc_cli.ranking.sums import axis_sums
from icc_cli.ranking.table import Floats


@dataclass(frozen=True)
class Intervals:
    """Confidence intervals of psi (A, 2, K) and of Psi (2, K); NaN where there is none."""

    psi: Floats
    total: Floats


@dataclass(frozen=True)
class Granulated:
    """A axes and K measures.

    psi, groups, pairs, ties (A, K); total (Psi) and tau (K,); models (K,) how many have the measure.
    `intervals`, and `versus` (intervals of the difference from one measure, K of them), with a bootstrap.
    """

    psi: Floats
    groups: Counts
    pairs: Counts
    ties: Counts
    total: Floats
    tau: Floats
    models: Counts
    intervals: Intervals | None = None
    versus: Intervals | None = None


def granulated(
    values: Floats,
    target: Floats,
    axes: Sequence[Axis],
    convention: Convention = "paper",
    bootstrap: Bootstrap | None = None,
    baseline: int | None = None,
) -> Granulated:
    """Granulated Kendall coefficients of `values` (M, K), already multiplied by their directions.

    `bootstrap` adds intervals, `baseline`, the index of a measure, intervals of psi and Psi less that measure's,
    from the same resamples of groups. An axis is held in memory at a time.
    """
    sums = axis_sums(values, target, axes, convention)
    models: Counts = np.sum(~np.isnan(values), axis=0, dtype=np.int64)
    result = Granulated(sums.psi, sums.groups, sums.pairs, sums.ties, total(sums.psi), sums.tau, models)
    if bootstrap is None:
        return result
    shape = (len(axes), values.shape[1])
    alone: list[Spread] = []
    differences: list[Spread] = []
    shared, shared_differences = (Shared(len(values), shape[1]) for _ in range(2))
    for i, axis in enumerate(axes):
        if not axis.groups:
            continue
        tau = agreement(values, target, axis.blocks, convention).tau
        resampled = draw(tau, bootstrap, i)
        alone.append(spread(tau, resampled, i))
        shared.add(influence(tau, axis.blocks, len(values)))
        if baseline is not None:
            lead = tau - tau[:, [baseline]]
            differences.append(spread(lead, resampled - resampled[:, [baseline]], i))
            shared_differences.add(influence(lead, axis.blocks, len(values)))
    leads = _intervals(differences, shared_differences, bootstrap, shape) if baseline is not None else None
    return replace(result, intervals=_intervals(alone, shared, bootstrap, shape), versus=leads)


def _intervals(parts: Sequence[Spread], shared: Shared, bootstrap: Bootstrap, shape: tuple[int, int]) -> Intervals:
    psi = np.full((shape[0], 2, shape[1]), np.nan)
    for part in parts:
        psi[part.axis] = part.interval(bootstrap.confidence)
    if not parts:
        return Intervals(psi, np.full((2, shape[1]), np.nan))
    return Intervals(psi, Spread.mean(parts, shared.covariance).interval(bootstrap.confidence))


def partially_granulated(values: Floats, target: Floats, given: Floats, axes: Sequence[Axis]) -> Granulated:
    """Partial coefficients, the (M,) `given` held fixed; groups, pairs and ties are those of measure and target."""
    result = granulated(values, target, axes)
    psi = np.array([partial(values, target, given, axis.blocks) for axis in axes]).reshape(len(axes), values.shape[1])
    everyone = (np.arange(len(values), dtype=np.intp)[None, :],)
    return replace(result, psi=psi, total=total(psi), tau=partial(values, target, given, everyone))
