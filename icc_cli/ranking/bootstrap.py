"""Confidence intervals by a bootstrap over groups.

The groups of an axis are disjoint sets of models, so they are what is resampled: with replacement, as many as
there are, independently on each axis, the same ones for every measure (which pairs the measures). psi of a
resample is the mean of its groups' tau, and Psi the mean of the axes' psi.

The bounds are quantiles of the resamples. A bootstrap of the mean of n values is too narrow by
sqrt((n - 1) / n), and uses the normal distribution where Student's belongs; the levels of the quantiles are
widened by as much (the expanded percentile interval; Hesterberg 2015, What Teachers Should Know About the Bootstrap).

A model is in a group of each axis, so that the axes are not independent, and their mean varies more than the
resamples say. With e_g = tau_g - psi, the covariance of two axes is estimated from the groups that share a model,
sum e_g e_h / (G_i G_j), as errors clustered on models are in regression; the resamples of Psi are stretched about
their mean to the variance with these terms, when it is the larger.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from icc_cli.ranking.table import Floats, Indices

CELLS_AT_ONCE = 1 << 21


@dataclass(frozen=True)
class Bootstrap:
    """How many resamples, the intervals' confidence in (0, 1), and the random generator's seed."""

    resamples: int
    confidence: float = 0.95
    seed: int = 0


@dataclass(frozen=True)
class Spread:
    """What the resamples say about K values.

    resampled (B, K); variance (K,) of the value, unbiased; narrow (K,) the variance that the resamples have;
    freedom (K,) degrees of freedom of `variance`, 0 where it is unknown (one group).
    """

    axis: int
    resampled: Floats
    variance: Floats
    narrow: Floats
    freedom: Floats

    def interval(self, confidence: float) -> Floats:
        """(2, K) bounds, NaN where there is no degree of freedom."""
        from scipy.special import ndtr, stdtrit

        with np.errstate(invalid="ignore", divide="ignore"):
            widen = np.where(self.narrow > 0, np.sqrt(self.variance / self.narrow), 1.0)
            level = ndtr(widen * stdtrit(self.freedom, (1 - confidence) / 2))
        ordered = np.sort(self.resampled, axis=0)
        bounds = np.stack([_quantile(ordered, level), _quantile(ordered, 1 - level)])
        return np.where(self.freedom > 0, bounds, np.nan)

    @staticmethod
    def mean(parts: Sequence["Spread"], shared: Floats) -> "Spread":
        """The spread of the mean of the axes; freedom after Welch and Satterthwaite.

        `shared` (K,) is the sum of the covariances of different axes.
        An axis without a value is left out of the mean, one whose variance is unknown counts as exact.
        """
        present = np.stack([~np.isnan(part.resampled).all(axis=0) for part in parts])
        count = np.maximum(present.sum(axis=0), 1)
        resampled = np.zeros_like(parts[0].resampled)
        weight = np.zeros_like(resampled)
        for part in parts:
            defined = ~np.isnan(part.resampled)
            resampled += np.where(defined, part.resampled, 0.0)
            weight += defined
        variance = np.stack([part.variance for part in parts])
        freedom = np.stack([part.freedom for part in parts])
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(freedom > 0, variance**2 / freedom, 0.0).sum(axis=0)
            together = np.where(share > 0, variance.sum(axis=0) ** 2 / share, freedom.max(axis=0))
            apart = variance.sum(axis=0)
            stretch = np.where(apart > 0, np.sqrt(np.maximum(1.0, (apart + shared) / apart)), 1.0)
            resampled = np.where(weight > 0, resampled / weight, np.nan)
            centre = resampled.mean(axis=0)
            narrow = np.stack([part.narrow for part in parts]).sum(axis=0)
            return Spread(
                -1,
                centre + stretch * (resampled - centre),
                apart / count**2,
                narrow / count**2,
                together,
            )


def draw(tau: Floats, bootstrap: Bootstrap, axis: int) -> Floats:
    """(B, K) psi of B resamples of the G groups of `tau` (G, K); the axis' number is a part of the seed.

    A group without a coefficient is drawn like the others and left out of the mean.
    """
    random = np.random.default_rng([bootstrap.seed, axis])
    groups = len(tau)
    defined = (~np.isnan(tau)).astype(np.float64)
    known = np.where(defined > 0, tau, 0.0)
    resampled = np.empty((bootstrap.resamples, tau.shape[1]))
    step = max(1, CELLS_AT_ONCE // groups)
    for start in range(0, bootstrap.resamples, step):
        rows = slice(start, min(start + step, bootstrap.resamples))
        times = random.multinomial(groups, np.full(groups, 1 / groups), size=rows.stop - start).astype(np.float64)
        with np.errstate(invalid="ignore"):
            resampled[rows] = (times @ known) / (groups if defined.all() else times @ defined)
    return resampled


def spread(tau: Floats, resampled: Floats, axis: int) -> Spread:
    """The spread of an axis' psi, from its groups' tau (G, K) and the resamples (B, K)."""
    defined = ~np.isnan(tau)
    count = defined.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(defined, tau, 0.0).sum(axis=0) / count
        squares = np.where(defined, (tau - mean) ** 2, 0.0).sum(axis=0)
        several = count > 1
        variance = np.where(several, squares / ((count - 1) * count), 0.0)
        narrow = np.where(several, squares / count**2, 0.0)
    return Spread(axis, resampled, variance, narrow, np.maximum(count - 1, 0).astype(np.float64))


def influence(tau: Floats, blocks: Sequence[Indices], models: int) -> Floats:
    """(M, K): for each model, its group's tau (G, K) less psi, over the number of groups; 0 in no group."""
    defined = ~np.isnan(tau)
    count = np.maximum(defined.sum(axis=0), 1)
    mean = np.where(defined, tau, 0.0).sum(axis=0) / count
    residual = np.where(defined, tau - mean, 0.0) / count
    out = np.zeros((models, tau.shape[1]))
    row = 0
    for block in blocks:
        out[block] = residual[row : row + len(block), None]
        row += len(block)
    return out


class Shared:
    """Accumulates, axis by axis, the covariances that the axes owe to the models that they share."""

    def __init__(self, models: int, measures: int) -> None:
        self._sum = np.zeros((models, measures))
        self._own = np.zeros(measures)

    def add(self, part: Floats) -> None:
        """Take in the (M, K) influence of one axis."""
        self._sum += part
        self._own += np.square(part).sum(axis=0)

    @property
    def covariance(self) -> Floats:
        """(K,) the sum over ordered pairs of different axes."""
        covariance: Floats = np.square(self._sum).sum(axis=0) - self._own
        return covariance


def _quantile(ordered: Floats, level: Floats) -> Floats:
    """(K,) quantiles at one level for each column of sorted (B, K), by linear interpolation; NaN sorts last."""
    known = np.sum(~np.isnan(ordered), axis=0)
    place = np.clip(np.nan_to_num(level), 0, 1) * np.maximum(known - 1, 0)
    below = np.floor(place).astype(np.intp)
    above = np.minimum(below + 1, np.maximum(known - 1, 0))
    column = np.arange(ordered.shape[1])
    lower, upper = ordered[below, column], ordered[above, column]
    quantile: Floats = lower + (place - below) * (upper - lower)
    return quantile
