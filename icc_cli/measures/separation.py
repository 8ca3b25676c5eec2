"""How far apart the classes are, in the features of the head or of a site, and along the depth."""

import math
from collections.abc import Sequence

import numpy as np

from icc_cli.measures.absent import Absent
from icc_cli.measures.declare import Measure
from icc_cli.measures.features import Features
from icc_cli.measures.site import Array

ROUNDING = 1e-28
"""Mean squared distance of unit rows under which they are one, as far as float64 can tell."""


def class_separation(view: Features) -> float:
    """1 - (1 - mean_k |u_k|^2) / (1 - |mean_k u_k|^2), u_k the mean of class k's unit rows (Kornblith et al. 2021).

    One less the mean cosine distance inside the classes over that of all pairs of samples, self-pairs included, every
    class of the same weight. Computed as between / (within + between), in which nothing cancels:
    1 - |u_k|^2 is the share of zero rows and the variance of the class, 1 - |mean u_k|^2 the mean of that and the
    variance of the u_k.
    """
    if len(view.classes) < 2:
        raise Absent("there is one class")
    found = [leaves.together() for leaves in view.unit_clusters]
    means = np.concatenate([one.means for one in found])
    within = float(np.mean([(one.silent + one.scatters) / one.sizes for one in found]))
    between = float(np.mean(np.sum((means - means.mean(axis=0)) ** 2, axis=1)))
    if within + between < ROUNDING:
        raise Absent("all samples have one direction")
    return between / (within + between)


def davies_bouldin(view: Features) -> float:
    """mean_k max_l (s_k + s_l) / |m_k - m_l|, at least 0, s the mean distance of a class to its mean (1979).

    Two classes of one mean have no ratio and are passed over, as scikit-learn has it.
    """
    apart = np.sqrt(view.squared_distances)
    if not apart.any():
        raise Absent("the means of all classes coincide")
    spread = view.distances
    ratios = (spread[:, None] + spread) / np.where(apart > 0, apart, np.inf)
    return float(ratios.max(axis=1).mean())


def log_separability(view: Features) -> float:
    """log tr(S_W S_B^+) of one site."""
    found = view.within_over_between
    if found == 0:
        raise Absent("no class has any spread")
    return math.log(found)


def slope(sites: Sequence[float]) -> float | None:
    """Least-squares slope of the sites' values on their numbers 0..L-1 (He & Su 2023); None for fewer than two."""
    line = _line(sites)
    return None if line is None else line[0]


def fit(sites: Sequence[float]) -> float | None:
    """R^2 of that line, 0..1: 1 when every layer separates by the same factor."""
    line = _line(sites)
    return None if line is None or math.isnan(line[1]) else line[1]


def _line(sites: Sequence[float]) -> tuple[float, float] | None:
    values: Array = np.asarray(sites, dtype=np.float64)
    number = np.flatnonzero(~np.isnan(values))
    values = values[number]
    if len(values) < 2:
        return None
    x, y = number - number.mean(), values - values.mean()
    steepness = float(x @ y / (x @ x))
    whole = float(y @ y)
    rest = y - steepness * x
    return steepness, 1 - float(rest @ rest) / whole if whole else math.nan


CLASS_SEPARATION = Measure("class_separation", class_separation, over="head", with_accuracy=0)
DAVIES_BOULDIN = Measure("davies_bouldin", davies_bouldin, over="head", with_accuracy=-1, symbol=r"$\mathrm{DB}$")
SEPARATION_SLOPE = Measure(
    "separation_slope", log_separability, over="head", with_accuracy=0, symbol=r"$\log\rho$", reduce=slope
)
SEPARATION_FIT = Measure("separation_fit", log_separability, over="head", with_accuracy=0, reduce=fit)
