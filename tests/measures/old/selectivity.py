"""c1: neuron-level subclass selectivity (equation 1)."""

from collections.abc import Sequence

import numpy as np

from tests.measures.old.moments import Moments, all_but_one
from tests.measures.old.site import Array

EPSILON = 1e-7


def subclass_selectivity(classes: Sequence[Sequence[Moments]], dead: np.ndarray) -> Array:
    """How well each neuron tells each subclass from the rest of its class: (subclasses, n), unbounded.

        (mu_C - mu_{S\\C}) / (sigma_C + sigma_{S\\C} + 1e-7)

    `classes` holds, for each class S, the moments of its subclasses C over the pre-activations. Classes of one
    subclass have no rest and give no row. Dead neurons (`dead` (n,) bool) score 0.
    """
    rows = []
    for subclasses in classes:
        if len(subclasses) < 2:
            continue
        for inside, outside in zip(subclasses, all_but_one(subclasses), strict=True):
            ratio = (inside.mean - outside.mean) / (inside.std + outside.std + EPSILON)
            rows.append(np.where(dead, 0.0, ratio))
    return np.array(rows) if rows else np.empty((0, len(dead)))
