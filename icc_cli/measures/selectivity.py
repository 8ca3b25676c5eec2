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
            rows.append(np.full((1, len(dead)), np.nan))
            continue
        counts = np.array([part.count for part in subclasses], np.float64)
        means, m2 = np.array([part.mean for part in subclasses]), np.array([part.m2 for part in subclasses])
        outside, m2_outside = all_but_one(counts, means, m2)
        spread = np.sqrt(m2 / counts[:, None]) + np.sqrt(m2_outside / (counts.sum() - counts)[:, None])
        ratio = (means - outside) / (spread + EPSILON)
        rows.append(np.where(dead, 0.0, ratio))
    return np.concatenate(rows)


SELECTIVITY = Measure(
    "c1", subclass_selectivity, over="neurons", groups="subclasses", average="median", symbol="$c_1$", settings=("k",)
)
