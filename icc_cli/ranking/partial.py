"""Partial ranking: does a measure order models where another quantity is held fixed?

Kendall's partial coefficient of measure m and target t given z, on each axis. With <x, y> the mean over the groups
of the mean over a group's pairs of sign(x_a - x_b) sign(y_a - y_b),

    psi(m, t | z) = (<m,t><z,z> - <m,z><z,t>) / sqrt((<m,m><z,z> - <m,z>^2) (<t,t><z,z> - <z,t>^2))

which is the correlation of the pairs' signs of m and t after regression on those of z; without ties <x,x> = 1, and
it is Kendall's own formula. Where z is tied in every pair it is fixed already, and the formula is <m,t> over
sqrt(<m,m><t,t>).
"""

from collections.abc import Sequence

import numpy as np

from icc_cli.ranking.kendall import agreement, axis_values
from icc_cli.ranking.values import Floats, Indices

NEGLIGIBLE = 1e-12


def partial(values: Floats, target: Floats, given: Floats, blocks: Sequence[Indices]) -> Floats:
    """(K,) psi of `values` (M, K) and `target` (M,) on one axis, given (M,) values without NaN.

    NaN where the sign of the given quantity decides that of the measure, or that of the target, in every pair.
    """
    ranks = np.arange(len(target), dtype=np.float64)
    absent = np.isnan(values)
    z = np.where(absent, np.nan, given[:, None])
    t = np.where(absent, np.nan, target[:, None])

    def mean(x: Floats, y: Floats) -> Floats:
        return axis_values(agreement(x, y, blocks).tau)

    def untied(x: Floats) -> Floats:
        counts = agreement(x, ranks, blocks)
        with np.errstate(invalid="ignore", divide="ignore"):
            return axis_values(np.where(counts.pairs > 0, 1 - counts.ties / counts.pairs, np.nan))

    mt, mz, zt = mean(values, target), mean(values, given), mean(z, target)
    mm, zz, tt = untied(values), untied(z), untied(t)
    free = zz <= NEGLIGIBLE
    top = np.where(free, mt, mt * zz - mz * zt)
    bottom = np.where(free, mm, mm * zz - mz**2) * np.where(free, tt, tt * zz - zt**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        coefficient: Floats = np.where(bottom > NEGLIGIBLE, top / np.sqrt(bottom), np.nan)
    return coefficient
