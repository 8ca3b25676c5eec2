"""By how much a measure orders models better than another: on the models and the axes that both have."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from icc_cli.ranking.groups import Axis
from icc_cli.ranking.kendall import Convention, Counts, agreement
from icc_cli.ranking.uncertainty import Spread, Spreads
from icc_cli.ranking.values import Floats, Indices

LARGEST = 2.0


@dataclass(frozen=True)
class Leads:
    """K measures over one: `spread` of the differences of tau, (K,) the `models` that have both, and which measures
    are the other one itself, equal in each of them."""

    spread: Spread
    models: Counts
    same: "np.typing.NDArray[np.bool_]"


def leads(
    values: Floats,
    baseline: Floats,
    target: Floats,
    axes: Sequence[Axis],
    convention: Convention = "paper",
    configurations: Indices | None = None,
) -> Leads:
    """The leads of `values` (M, K) over `baseline` (M,), both times their directions.

    A model counts for a measure when it has both numbers, a group when the coefficients of both are defined in it.
    """
    absent = np.isnan(values) | np.isnan(baseline)[:, None]
    ours = np.where(absent, np.nan, values)
    theirs = np.where(absent, np.nan, baseline[:, None]) if absent.any() else baseline[:, None]
    spreads = Spreads(len(axes), len(values), values.shape[1], LARGEST)
    for place, axis in enumerate(axes):
        first, second = (agreement(part, target, axis.blocks, convention).tau for part in (ours, theirs))
        spreads.add(place, axis, first - second, configurations)
    models: Counts = np.sum(~absent, axis=0, dtype=np.int64)
    return Leads(spreads.spread, models, np.all(absent | (values == baseline[:, None]), axis=0))
