"""How many directions the features use."""

import numpy as np

from icc_cli.measures.absent import Absent
from icc_cli.measures.declare import Measure
from icc_cli.measures.features import Features
from icc_cli.measures.spectrum import singular_values


def participation_ratio(view: Features) -> float:
    """(sum l)^2 / sum l^2, 1..n, l the eigenvalues of the covariance: n when all are alike.

    The sums are the trace and the squared Frobenius norm, so that nothing is decomposed.
    """
    gram = view.grams.centred
    squares = float(np.vdot(gram, gram))
    if squares == 0:
        raise Absent("all samples are the same")
    return float(np.trace(gram)) ** 2 / squares


def effective_rank(view: Features) -> float:
    """exp(-sum p log p), 1..n, p = s / sum(s), s the singular values of F, not centred (Roy & Vetterli 2007).

    RankMe (Garrido et al. 2023) is the same with 1e-7 added to each p.
    """
    values = singular_values(view, view.grams.plain, centred=False)
    total = values.sum()
    if total == 0:
        raise Absent("all features are 0")
    p = values[values > 0] / total
    return float(np.exp(-np.sum(p * np.log(p))))


PARTICIPATION_RATIO = Measure(
    "participation_ratio", participation_ratio, over="head", with_accuracy=0, symbol=r"$\mathrm{PR}$"
)
EFFECTIVE_RANK = Measure("effective_rank", effective_rank, over="head", with_accuracy=0, symbol=r"$\mathrm{erank}$")
