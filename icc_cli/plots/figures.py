"""The figures that are made from records, in the order of the report."""

from icc_cli.plots.along_training import TRAINING
from icc_cli.plots.axes import AXES
from icc_cli.plots.figure import Figure
from icc_cli.plots.k_curves import K
from icc_cli.plots.psi import PSI
from icc_cli.plots.scatter import SCATTER
from icc_cli.plots.sites import SITES

FIGURES: tuple[Figure, ...] = (PSI, AXES, SCATTER, K, SITES, TRAINING)
