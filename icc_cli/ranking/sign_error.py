"""The robust sign error of Dziugaite et al. 2020 (In Search of Robust Measures of Generalization).

    error(a, b)  = (1 - sign(m_a - m_b) sign(t_a - t_b)) / 2
    weight(a, b) = max(0, w - 1/2),  w = max(0, 1 - 2 exp(-2 n (|t_a - t_b| / 2)^2))^2

w is how sure it is that the targets differ, when each was taken over n test samples. An environment is a pair of
configurations that differ in one hyperparameter, its pairs those of their models, one for each two seeds; its
error is the weighted mean. Environments whose effective sample size (sum w)^2 / sum w^2 is under 12 are dropped.
As in the authors' code, each environment counts in both orders, which matters to the interpolated quantile alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from icc_cli.ranking.groups import Axis
from icc_cli.ranking.values import Floats, Indices

LEAST_SIZE = 12.0
LEAST_WEIGHT = 0.5
QUANTILE = 90


@dataclass(frozen=True)
class SignError:
    """Mean, 90th percentile and maximum over the environments kept, None where none is; `axes` the mean by axis.

    `resampled` (B,) is the mean in resamples of the models.
    """

    environments: int
    dropped: int
    mean: float | None
    p90: float | None
    max: float | None
    axes: dict[str, tuple[float | None, int]]
    resampled: Floats | None = None


def weights(difference: Floats, samples: int) -> Floats:
    """How much each pair counts, in [0, 1/2], from the absolute difference of the targets."""
    sure = np.maximum(0.0, 1 - 2 * np.exp(-2 * samples * (difference / 2) ** 2)) ** 2
    weight: Floats = np.maximum(sure - LEAST_WEIGHT, 0.0)
    return weight


def sign_error(
    measure: Floats,
    target: Floats,
    axes: Sequence[Axis],
    levels: dict[str, Indices],
    samples: int = 10_000,
    least_size: float = LEAST_SIZE,
    drawn: Floats | None = None,
) -> SignError:
    """The robust sign error of one measure, times its direction, from (M,) values without NaN.

    `axes` group the models of every seed together; `levels` holds each hyperparameter's (M,) integer codes.
    `drawn` (B, M), how often each of B resamples holds a model, asks for the mean of each resample too.
    """
    resampled = _Resampled(drawn)
    kept: list[float] = []
    dropped = 0
    by_axis: dict[str, tuple[float | None, int]] = {}
    for axis in axes:
        errors = []
        for low, high in _environments(axis, levels[axis.name]):
            weight = weights(np.abs(target[low][:, None] - target[high][None, :]), samples)
            total, squares = weight.sum(), np.square(weight).sum()
            size = total**2 / squares if squares > 0 else 0.0
            if size < least_size and not np.isclose(size, least_size):
                dropped += 1
                continue
            signs = np.sign(measure[low][:, None] - measure[high]) * np.sign(target[low][:, None] - target[high])
            wrong = weight * (1 - signs) / 2
            errors.append(float(np.sum(wrong) / total))
            resampled.add(wrong, weight, low, high)
        by_axis[axis.name] = (float(np.mean(errors)) if errors else None, len(errors))
        kept += errors
    if not kept:
        return SignError(0, dropped, None, None, None, by_axis)
    both = np.repeat(kept, 2)
    return SignError(
        len(kept),
        dropped,
        float(np.mean(kept)),
        float(np.percentile(both, QUANTILE)),
        float(np.max(kept)),
        by_axis,
        resampled.mean,
    )


class _Resampled:
    """Adds up the error of each environment in each resample; one without a pair in a resample is left out of it."""

    def __init__(self, drawn: Floats | None) -> None:
        self._drawn = drawn
        self._sum, self._count = (np.zeros(0 if drawn is None else len(drawn)) for _ in range(2))

    def add(self, wrong: Floats, weight: Floats, low: Indices, high: Indices) -> None:
        if self._drawn is None:
            return
        first, second = self._drawn[:, low], self._drawn[:, high]
        error, whole = (np.sum((first @ part) * second, axis=1) for part in (wrong, weight))
        some = whole > 0
        self._sum[some] += error[some] / whole[some]
        self._count += some

    @property
    def mean(self) -> Floats | None:
        with np.errstate(invalid="ignore"):
            return None if self._drawn is None else self._sum / self._count


def _environments(axis: Axis, level: Indices) -> Iterator[tuple[Indices, Indices]]:
    """The models of either configuration, for each two levels of each group."""
    for block in axis.blocks:
        for group in block:
            members = [group[level[group] == value] for value in np.unique(level[group])]
            for i, low in enumerate(members):
                for high in members[i + 1 :]:
                    yield low, high
