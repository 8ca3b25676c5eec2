"""How sure an axis' psi, and their mean Psi, are: two questions, each with its standard error.

`within the grid`: the same grid, every model trained again. The groups of an axis are disjoint sets of models, and
so they are the sample, clustered by configuration where a grid was trained with several seeds. With C clusters, and
u_c the sum of tau_g - psi over the groups g of cluster c, divided by the number of groups, times sqrt(C / (C - 1)),

    SE(psi)^2 = sum_c u_c^2
    SE(Psi)^2 = (sum_i SE(psi_i)^2 + max(0, sum_{i != j} sum u_c u_d)) / A^2

where the last sum runs over the clusters c of axis i and d of axis j that share a configuration: axes share models,
as errors clustered on models do in regression. Where all groups agree, the standard error is that of one cluster
of them that disagrees as far as it can, (1 + |psi|) / C, and the bounds are those of the rule of three.

`across studies`: another study, other hyperparameters. The axes are the sample and Psi is their mean,

    SE(Psi) = max(sd(psi_i) / sqrt(A), SE within the grid)

with Student's t of A - 1 degrees of freedom: the axes' own spread is too small where the noise is independent, since
they share models, and the groups' is too small where the values of hyperparameters have effects of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from icc_cli.ranking.groups import Axis
from icc_cli.ranking.student import cdf, quantile
from icc_cli.ranking.values import Floats, Indices

Question = Literal["across studies", "within the grid"]
ACROSS: Question = "across studies"
WITHIN: Question = "within the grid"

BY_VALUE = ("psi", "error", "clusters", "unanimous", "shared")
NEGLIGIBLE = 1e-20
"""Squares of rounding errors."""


@dataclass(frozen=True)
class Spread:
    """A axes and K values: psi, its standard error within the grid and its clusters (A, K); NaN, NaN and 0 where an
    axis has no value. `shared` (K,) is the sum of the covariances of different axes. `reach` is the largest value that
    tau can have: 1, and 2 for the difference of two.
    """

    psi: Floats
    error: Floats
    clusters: Floats
    unanimous: Floats
    shared: Floats
    reach: float = 1.0

    @classmethod
    def joined(cls, parts: Sequence["Spread"]) -> "Spread":
        """The spread of the values of all parts, one after the other."""
        joined: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in BY_VALUE
        }
        return replace(parts[0], **joined)

    def at(self, order: Indices) -> "Spread":
        """The spread of the values in another order."""
        return replace(self, **{name: getattr(self, name)[..., order] for name in BY_VALUE})

    @property
    def axes(self) -> Floats:
        """(K,) how many axes have a value."""
        count: Floats = np.sum(~np.isnan(self.psi), axis=0).astype(np.float64)
        return count

    @property
    def total(self) -> Floats:
        """(K,) the mean of the axes."""
        with np.errstate(invalid="ignore"):
            mean: Floats = np.nansum(self.psi, axis=0) / self.axes
        return mean

    def axis_intervals(self, confidence: float) -> Floats:
        """(A, 2, K) bounds of psi within the grid, NaN where an axis has no value."""
        with np.errstate(invalid="ignore", divide="ignore"):
            reach = quantile(np.maximum(self.clusters - 1, 1), (1 + confidence) / 2) * self.error
            # Score bounds too: there the error changes as that of a share does, which is 0 at the ends, so that they
            # reach further inwards; the wider of the two on either side covers enough where groups are few.
            excess = reach**2 / (self.reach**2 - self.psi**2)
            half = np.sqrt(excess * (self.reach**2 * (1 + excess) - self.psi**2)) / (1 + excess)
            middle = self.psi / (1 + excess)
            # The largest share of disagreeing clusters that would still let all of so many agree.
            hidden = 1 - (1 - confidence) ** (1 / self.clusters)
            low, high = np.minimum(self.psi - reach, middle - half), np.maximum(self.psi + reach, middle + half)
            low = np.where(self.unanimous > 0, self.psi - hidden * (self.reach + self.psi), low)
            high = np.where(self.unanimous > 0, self.psi + hidden * (self.reach - self.psi), high)
        bounds: Floats = np.clip(np.stack([low, high], axis=1), -self.reach, self.reach)
        return bounds

    def within(self) -> tuple[Floats, Floats]:
        """(K,) standard error of the total within the grid, and its degrees of freedom, those of a mean axis."""
        variance = np.nan_to_num(self.error) ** 2
        with np.errstate(invalid="ignore", divide="ignore"):
            error = np.sqrt(variance.sum(axis=0) + np.maximum(self.shared, 0.0)) / self.axes
            freedom = np.maximum(self.clusters.sum(axis=0) / self.axes - 1, 1)
        return error, freedom

    def across(self) -> tuple[Floats, Floats]:
        """(K,) standard error of the total across studies, and its degrees of freedom; NaN for fewer than two axes."""
        with np.errstate(invalid="ignore", divide="ignore"):
            squares = np.nansum((self.psi - self.total) ** 2, axis=0)
            apart = np.sqrt(squares / (self.axes - 1) / self.axes)
            error = np.where(self.axes > 1, np.maximum(apart, self.within()[0]), np.nan)
        return error, self.axes - 1

    def answer(self, question: Question, confidence: float) -> tuple[Floats, Floats]:
        """(2, K) bounds of the total, and (K,) the two-sided p of a total of 0, to the question that is asked."""
        error, freedom = self.within() if question == WITHIN else self.across()
        with np.errstate(invalid="ignore", divide="ignore"):
            half = quantile(freedom, (1 + confidence) / 2) * error
            bounds = np.clip(np.stack([self.total - half, self.total + half]), -self.reach, self.reach)
            p = 2 * cdf(freedom, -np.abs(self.total) / error)
        return bounds, p


class Spreads:
    """Builds a `Spread` of K values of M models, an axis after the other."""

    def __init__(self, axes: int, models: int, values: int, reach: float = 1.0) -> None:
        self._psi, self._error = (np.full((axes, values), np.nan) for _ in range(2))
        self._clusters, self._unanimous = (np.zeros((axes, values)) for _ in range(2))
        self._sum = np.zeros((models, values))
        self._own = np.zeros(values)
        self._reach = reach

    def add(self, place: int, axis: Axis, tau: Floats, configurations: Indices | None) -> None:
        """Take in the coefficients `tau` (G, K) of the groups of the axis at `place`, NaN where one is not defined.

        `configurations` (M,) numbers the models that agree on all but the seed; None where each is its own.
        """
        if not len(tau):
            return
        defined = ~np.isnan(tau)
        whole = bool(defined.all())
        count = np.full(tau.shape[1], len(tau)) if whole else defined.sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            psi = tau.mean(axis=0) if whole else np.where(defined, tau, 0.0).sum(axis=0) / count
            apart = (tau - psi) / np.maximum(count, 1)
        if not whole:
            apart[~defined] = 0.0
        clusters = count
        member = _groups_of_models(axis, len(self._sum))
        if axis.clusters is not None and configurations is not None:
            cluster = _clusters_of_groups(axis)
            apart, clusters = _summed(apart, cluster), np.sum(_summed(defined.astype(float), cluster) > 0, axis=0)
            member = _clusters_of_configurations(member, cluster, configurations)
        with np.errstate(invalid="ignore", divide="ignore"):
            apart *= np.where(clusters > 1, np.sqrt(clusters / (clusters - 1.0)), 1.0)
        squared = np.square(apart)
        squares = squared.sum(axis=0)
        # A model in no group has the number -1, and the row of zeros at the end.
        self._sum += np.vstack([apart, np.zeros((1, apart.shape[1]))])[member]
        self._own += np.bincount(member[member >= 0], minlength=len(apart)) @ squared
        agree = squares <= NEGLIGIBLE
        with np.errstate(invalid="ignore", divide="ignore"):
            doubt = (self._reach + np.abs(psi)) / clusters
        self._psi[place] = psi
        self._error[place] = np.where(count > 0, np.where(agree, doubt, np.sqrt(squares)), np.nan)
        self._clusters[place] = clusters
        self._unanimous[place] = agree

    @property
    def spread(self) -> Spread:
        shared = np.square(self._sum).sum(axis=0) - self._own
        return Spread(self._psi, self._error, self._clusters, self._unanimous, shared, self._reach)


def holm(p: Floats) -> Floats:
    """(K,) Holm's p, adjusted for the number of those that are defined."""
    adjusted = np.full(len(p), np.nan)
    order = [i for i in np.argsort(p, kind="stable").tolist() if not np.isnan(p[i])]
    least = 0.0
    for rank, i in enumerate(order):
        least = max(least, min(1.0, p[i] * (len(order) - rank)))
        adjusted[i] = least
    return adjusted


def _groups_of_models(axis: Axis, models: int) -> Indices:
    """(M,) the number of each model's group, in the order of the blocks; -1 in none."""
    member = np.full(models, -1, dtype=np.intp)
    start = 0
    for block in axis.blocks:
        member[block] = (start + np.arange(len(block)))[:, None]
        start += len(block)
    return member


def _clusters_of_groups(axis: Axis) -> Indices:
    """(G,) the cluster of each group."""
    assert axis.clusters is not None
    parts = [axis.clusters[block[:, 0]] for block in axis.blocks]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.intp)


def _clusters_of_configurations(member: Indices, cluster: Indices, configurations: Indices) -> Indices:
    """The cluster of each configuration, at its number, from the group of each model; -1 for one in none."""
    of = np.full(len(member), -1, dtype=np.intp)
    inside = np.flatnonzero(member >= 0)
    of[configurations[inside]] = cluster[member[inside]]
    return of


def _summed(rows: Floats, cluster: Indices) -> Floats:
    total = np.zeros((int(cluster.max(initial=-1)) + 1, rows.shape[1]))
    np.add.at(total, cluster, rows)
    return total
