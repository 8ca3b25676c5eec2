"""Scores by conditional mutual information over pairs of models.

    V_m(a, b) = sign(m_a - m_b),  V_t likewise;  U_S(a, b) = the values that a and b have of the hyperparameters in S
    score     = min over S of  I(V_m; V_t | U_S) / H(V_t | U_S)

`conditional_information` is that of Jiang et al. 2020: |S| <= 2, over the ordered pairs of different models,
cells weighted by their share of the pairs. `pgdl_score` is that of the PGDL competition, as its program has it:
|S| = 2 alone, a model's pair with itself included, ties counted as "not greater", cells unweighted (the sum of
their I over the sum of their H), logarithms to base 2 with 1e-12 inside that of the entropy. Both print it x 100.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from icc_cli.ranking.pairs import Pairs
from icc_cli.ranking.values import Floats, Indices, joint_codes

Counts = npt.NDArray[Any]

EPSILON = 1e-12
AT_MOST = 2


@dataclass(frozen=True)
class Information:
    """The score, the set S of hyperparameters that it is least under, and the score under every S.

    `score` is None where no S leaves the target any entropy.
    """

    score: float | None
    given: tuple[str, ...]
    under: dict[tuple[str, ...], float]


def conditional_information(measure: Floats, target: Floats, hparams: dict[str, Indices]) -> Information:
    """Jiang et al.'s score in [0, 1], from (M,) values and each hyperparameter's (M,) integer codes."""
    return _least(measure, target, hparams, range(AT_MOST + 1), _weighted)


def pgdl_score(measure: Floats, target: Floats, hparams: dict[str, Indices]) -> Information:
    """The PGDL competition's score, from (M,) values and each hyperparameter's (M,) integer codes."""
    return _least(measure, target, hparams, (AT_MOST,), _unweighted)


def resampled(
    measure: Floats, target: Floats, hparams: dict[str, Indices], given: Sequence[str], score: str, drawn: Floats
) -> Floats:
    """(B,) the score, `cmi` or `pgdl`, under the hyperparameters `given`, of B resamples of models.

    `drawn` (B, M) is how often a resample holds each model; pairs of a model with its copies are left out.
    """
    ratio = _weighted if score == "cmi" else _unweighted
    cell = joint_codes([hparams[name] for name in given], len(target))
    values = []
    pairs = Pairs(measure, target)
    for times in drawn:
        members = np.bincount(cell, weights=times)
        values.append(ratio(pairs.counts(cell, times), members))
    return np.array(values)


def _least(
    measure: Floats,
    target: Floats,
    hparams: dict[str, Indices],
    sizes: Sequence[int],
    ratio: Callable[[Counts, Counts], float],
) -> Information:
    under = {}
    pairs = Pairs(measure, target)
    for given in _subsets(list(hparams), sizes):
        cell = joint_codes([hparams[name] for name in given], len(target))
        value = ratio(pairs.counts(cell), np.bincount(cell))
        if not np.isnan(value):
            under[given] = value
    if not under:
        return Information(None, (), {})
    best = min(under, key=lambda given: under[given])
    return Information(under[best], best, under)


def _subsets(names: Sequence[str], sizes: Sequence[int]) -> Iterator[tuple[str, ...]]:
    for size in sizes:
        yield from combinations(names, size)


def _weighted(counts: Counts, members: Counts) -> float:
    """Jiang et al.: cells weighted by their share of the pairs."""
    share = counts / (counts.sum() or 1)
    entropy = np.sum(_surprise(share.sum(axis=1), share.sum(axis=(1, 2))[:, None]))
    return float(_information(share).sum() / entropy) if entropy > EPSILON else np.nan


def _unweighted(counts: Counts, members: Counts) -> float:
    """The competition: two symbols, self-pairs included, each cell a distribution of its own."""
    counts = counts.copy()
    counts[:: len(members) + 1, 1, 1] += members
    two = np.stack([counts[:, :2].sum(axis=1), counts[:, 2]], axis=1)
    two = np.stack([two[:, :, :2].sum(axis=2), two[:, :, 2]], axis=2)
    two = two[two.sum(axis=(1, 2)) > 0]
    inside = two / two.sum(axis=(1, 2), keepdims=True)
    goal = inside.sum(axis=1)
    entropy = -np.sum(goal * np.log2(goal + EPSILON))
    return float(_information(inside).sum() / entropy) if entropy > EPSILON else np.nan


def _information(joint: Floats) -> Floats:
    """(cells,) mutual information of each (measure, target) table, times its total."""
    whole = joint.sum(axis=(1, 2), keepdims=True)
    apart = joint.sum(axis=2, keepdims=True) * joint.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        terms = np.where(joint > 0, joint * np.log2(joint * whole / apart), 0.0)
    information: Floats = terms.sum(axis=(1, 2))
    return information


def _surprise(part: Floats, whole: Floats) -> Floats:
    """part * log2(whole / part), 0 where part is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        surprise: Floats = np.where(part > 0, part * np.log2(whole / part), 0.0)
    return surprise
