"""The figures that are made from records, in the order of the report. Imports none of them until one is drawn."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from icc_cli.plots.figure import Figure

FIGURES = {
    "psi": ("icc_cli.plots.psi:PSI", "Psi of each measure with its interval, a panel for each set: the main result."),
    "axes": ("icc_cli.plots.axes:AXES", "Along which hyperparameter each measure orders the models: psi as a map."),
    "scatter": ("icc_cli.plots.scatter:SCATTER", "Each measure against the target (Figure 3)."),
    "k": ("icc_cli.plots.k_curves:K", "Psi against k, for the measures over neurons (Figure 4)."),
    "sites": ("icc_cli.plots.sites:SITES", "Each measure along the depth of the networks (Figure 5)."),
    "training": ("icc_cli.plots.along_training:TRAINING", "Measures and accuracies along training (Figure 6)."),
}
"""Where each figure is declared, and what it shows."""


def figure(name: str) -> "Figure":
    """The declaration of a figure."""
    module, _, attribute = FIGURES[name][0].partition(":")
    found: Figure = getattr(import_module(module), attribute)
    return found
