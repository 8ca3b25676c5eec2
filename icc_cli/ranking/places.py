"""Places of models by several measures, their mean, and how far the measures agree."""

import numpy as np

from icc_cli.ranking.values import Floats


def places(values: Floats) -> Floats:
    """(M, K) place of each model by each measure, 1 for the largest value; equal values share the mean of their places.

    values (M, K), NaN where a model has none, and then it has no place.
    """
    placed = np.full(values.shape, np.nan)
    for k, column in enumerate(values.T):
        known = np.flatnonzero(~np.isnan(column))
        ascending = np.sort(column[known])
        below = np.searchsorted(ascending, column[known], side="left")
        up_to = np.searchsorted(ascending, column[known], side="right")
        placed[known, k] = len(known) - (below + up_to - 1) / 2
    return placed


def mean_places(placed: Floats) -> Floats:
    """(M,) mean of a model's places over the measures that it has, NaN where it has none.

    A place among the n models that have a measure counts as the same share of the way among all M of them:
    (place - 1/2) M/n + 1/2, so that being known to few measures makes no model better.
    """
    known = ~np.isnan(placed)
    count = known.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        stretched = (placed - 0.5) * (len(placed) / count) + 0.5
        mean: Floats = np.where(known, stretched, 0.0).sum(axis=1) / known.sum(axis=1)
    return mean


def overall_places(mean: Floats) -> list[int | None]:
    """The place of each model by its mean place: 1, 2, 2, 4; None where it has none."""
    ascending = np.sort(mean[~np.isnan(mean)])
    found = np.searchsorted(ascending, mean, side="left") + 1
    return [None if np.isnan(one) else int(place) for one, place in zip(mean, found, strict=True)]


def concordance(placed: Floats) -> float | None:
    """Kendall's W of K >= 2 measures over the models that have all of them, corrected for ties.

        W = 12 sum_i (R_i - K (M + 1)/2)^2 / (K^2 (M^3 - M) - K sum_k sum_t (t^3 - t))

    with R_i the sum of a model's places and t the sizes of the sets of equal values. 1 when all give one order, and
    1/K in the mean when they have nothing to do with one another. None for fewer than two models or measures, and when
    every measure has one value.
    """
    together = placed[~np.isnan(placed).any(axis=1)]
    models, measures = together.shape
    if models < 2 or measures < 2:
        return None
    again = places(-together)
    ties = sum(float(np.sum(count**3 - count)) for count in (_sizes(column) for column in again.T))
    spread = float(np.sum((again.sum(axis=1) - measures * (models + 1) / 2) ** 2))
    most = measures**2 * (models**3 - models) - measures * ties
    return 12 * spread / most if most > 0 else None


def _sizes(column: Floats) -> Floats:
    """How many models share each of the distinct values."""
    ascending = np.sort(column)
    starts = np.flatnonzero(np.concatenate([[True], ascending[1:] != ascending[:-1], [True]]))
    sizes: Floats = np.diff(starts).astype(np.float64)
    return sizes
