"""c1: neuron-level subclass selectivity (equation 1)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from icc_cli.measures.declare import Measure
from icc_cli.measures.moments import Moments, all_but_one
from icc_cli.measures.site import Array

if TYPE_CHECKING:
    from icc_cli.measures.view import SiteView

EPSILON = 1e-7


def subclass_selectivity(view: "SiteView") -> Array:
    """How well each neuron tells each subclass from the rest of its class: (subclasses, n), unbounded.

        (mu_C - mu_{S\\C}) / (sigma_C + sigma_{S\\C} + 1e-7)

    over the pre-activations of each subclass C of each class S. A class of one subclass has no rest: NaN. Dead neurons
    score 0.
    """
    return _selectivity(view.subclass_moments, view.dead)


def _selectivity(classes: Sequence[Sequence[Moments]], dead: np.ndarray) -> Array:
    rows = []
    for subclasses in classes:
        if len(subclasses) < 2:
            rows.append(np.full(len(dead), np.nan))
            continue
        for inside, outside in zip(subclasses, all_but_one(subclasses), strict=True):
            ratio = (inside.mean - outside.mean) / (inside.std + outside.std + EPSILON)
            rows.append(np.where(dead, 0.0, ratio))
    return np.array(rows)


SELECTIVITY = Measure(
    "c1", subclass_selectivity, over="neurons", groups="subclasses", average="median", symbol="$c_1$", settings=("k",)
)
