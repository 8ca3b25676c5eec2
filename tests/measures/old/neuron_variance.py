"""c3: variance of a class in the neuron-level representations (section 2.3.1)."""

from collections.abc import Sequence

import numpy as np

from tests.measures.old.moments import Moments
from tests.measures.old.site import Array

EPSILON = 1e-7


def class_variance(classes: Sequence[Moments], whole: Moments, dead: np.ndarray) -> Array:
    """Spread of each class relative to the data set's, for each neuron: (classes, n), at least 0.

        sigma_C / (sigma_D + 1e-7)

    over the pre-activations. Dead neurons (`dead` (n,) bool) score 0.
    """
    ratios = np.array([group.std for group in classes]) / (whole.std + EPSILON)
    return np.where(dead, 0.0, ratios)
