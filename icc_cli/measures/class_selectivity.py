"""Class selectivity of neurons (Morcos et al. 2018), without subclasses."""

import numpy as np

from icc_cli.measures.absent import Absent
from icc_cli.measures.declare import Measure
from icc_cli.measures.site import Array
from icc_cli.measures.view import SiteView


def class_selectivity(view: SiteView) -> Array:
    """(a_max - a_rest) / (a_max + a_rest) of each neuron, 0..1: (n,).

    a are the class means of its activations max(x, 0), a_max the largest, a_rest the plain mean of the others. 0 where
    both are 0.
    """
    if len(view.classes) < 2:
        raise Absent("there is one class")
    means = np.sort(view.features.means, axis=0)
    most, rest = means[-1], means[:-1].mean(axis=0)
    together = most + rest
    return np.where(together > 0, (most - rest) / np.where(together > 0, together, 1), 0.0)


CLASS_SELECTIVITY = Measure(
    "class_selectivity", class_selectivity, over="neurons", take="all", with_accuracy=0, symbol=r"$\mathrm{CSI}$"
)
