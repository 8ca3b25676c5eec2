"""Controls: how well the trivial orders the models, beside the measures."""

import hashlib
from statistics import NormalDist

import numpy as np

from icc_cli import catalog
from icc_cli.ranking.table import TRAIN, ModelTable
from icc_cli.ranking.values import Floats

RANDOM = "random"
CONTROLS = (*catalog.GROUPS["controls"], TRAIN)
"""What the catalog declares as a control, and the training accuracy, which is none of its measures."""


def with_random(table: ModelTable) -> ModelTable:
    """The table with a column `random`: a standard normal number for each model, the same for the same weights."""
    return table if RANDOM in table.columns else table.with_column(RANDOM, noise(table))


def noise(table: ModelTable) -> Floats:
    """(M,) standard normal numbers, each drawn from its model's identity."""
    digests = (int.from_bytes(hashlib.sha256(key.encode()).digest()[:6]) for key in table.keys)
    quantile = NormalDist().inv_cdf
    return np.array([quantile((digest + 0.5) / 2**48) for digest in digests])


def controls_of(table: ModelTable, taken: tuple[str, ...]) -> tuple[str, ...]:
    """The controls that differ between models, and that are not among `taken`, the measures and the target."""
    return tuple(name for name in CONTROLS if name not in taken and _varies(table.column(name)))


def _varies(column: Floats) -> bool:
    known = column[~np.isnan(column)]
    return len(known) > 1 and bool(known.min() < known.max())
