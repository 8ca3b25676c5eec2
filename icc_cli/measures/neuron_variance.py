"""c3: variance of a class in the neuron-level representations (section 2.3.1)."""

from typing import TYPE_CHECKING

import numpy as np

from icc_cli.measures.declare import Measure
from icc_cli.measures.site import Array

if TYPE_CHECKING:
    from icc_cli.measures.view import SiteView

EPSILON = 1e-7


def class_variance(view: "SiteView") -> Array:
    """Spread of each class relative to the data set's, for each neuron: (classes, n), at least 0.

        sigma_C / (sigma_D + 1e-7)

    over the pre-activations. Dead neurons score 0.
    """
    ratios = np.array([group.std for group in view.class_moments]) / (view.moments.std + EPSILON)
    return np.where(view.dead, 0.0, ratios)


NEURON_VARIANCE = Measure("c3", class_variance, over="neurons", groups="classes", symbol="$c_3$", settings=("k",))
