"""Every measure by name: where each is declared, and what whoever ranks, tabulates or draws it asks.

Imports the standard library alone. A new measure is one declaration in a file of its own and one line here.
"""

from dataclasses import KW_ONLY, dataclass
from functools import cache
from importlib import import_module
from typing import Literal

VARIANT = "@"
"""Parts a column's measure from its settings: `c3@k=1`."""

GROUPS: dict[str, dict[str, str]] = {
    "paper": {
        "c1": "icc_cli.measures.selectivity:SELECTIVITY",
        "c2": "icc_cli.measures.silhouette:SILHOUETTE",
        "c3": "icc_cli.measures.neuron_variance:NEURON_VARIANCE",
        "c4": "icc_cli.measures.layer_variance:LAYER_VARIANCE",
    },
    "sharpness": {
        "inv_sigma": "icc_cli.perturbation.declared:INV_SIGMA",
        "inv_alpha": "icc_cli.perturbation.declared:INV_ALPHA",
        "inv_sigma_kernels": "icc_cli.perturbation.declared:INV_SIGMA_KERNELS",
        "inv_alpha_kernels": "icc_cli.perturbation.declared:INV_ALPHA_KERNELS",
    },
    "geometry": {
        "nc1": "icc_cli.measures.collapse:NC1",
        "nc1_quotient": "icc_cli.measures.collapse:NC1_QUOTIENT",
        "cdnv": "icc_cli.measures.collapse:CDNV",
        "nc2_norms": "icc_cli.measures.collapse:NC2_NORMS",
        "nc2_angles": "icc_cli.measures.collapse:NC2_ANGLES",
        "nc3": "icc_cli.measures.collapse:NC3",
        "nc4": "icc_cli.measures.collapse:NC4",
        "class_separation": "icc_cli.measures.separation:CLASS_SEPARATION",
        "davies_bouldin": "icc_cli.measures.separation:DAVIES_BOULDIN",
        "separation_slope": "icc_cli.measures.separation:SEPARATION_SLOPE",
        "separation_fit": "icc_cli.measures.separation:SEPARATION_FIT",
    },
    "dimension": {
        "participation_ratio": "icc_cli.measures.dimension:PARTICIPATION_RATIO",
        "effective_rank": "icc_cli.measures.dimension:EFFECTIVE_RANK",
        "intrinsic_dimension": "icc_cli.measures.intrinsic_dimension:INTRINSIC_DIMENSION",
    },
    "neurons": {
        "class_selectivity": "icc_cli.measures.class_selectivity:CLASS_SELECTIVITY",
        "bimodality": "icc_cli.measures.bimodality:BIMODALITY",
    },
    "subclass": {
        "subclass_ncm": "icc_cli.measures.subclass_probe:SUBCLASS_NCM",
        "subclass_hscore": "icc_cli.measures.subclass_probe:SUBCLASS_HSCORE",
    },
    "outputs": {
        "margin": "icc_cli.measures.outputs:MARGIN",
        "confidence": "icc_cli.measures.outputs:CONFIDENCE",
        "ece": "icc_cli.measures.outputs:ECE",
    },
    "controls": {
        "parameters": "icc_cli.measures.controls:PARAMETERS",
        "sites": "icc_cli.measures.controls:SITES",
        "neurons": "icc_cli.measures.controls:NEURONS",
        "weight_norm": "icc_cli.measures.controls:WEIGHT_NORM",
        "path_norm": "icc_cli.measures.controls:PATH_NORM",
        "train_loss": "icc_cli.measures.controls:TRAIN_LOSS",
        "random": "icc_cli.measures.controls:RANDOM",
    },
}
"""Module and name of each declaration, by group and by the measure's name."""

Sign = Literal[-1, 0, 1]


@dataclass(frozen=True)
class About:
    """What is said of a measure wherever it is ranked, tabulated or drawn; a declaration is one of these."""

    name: str
    _: KW_ONLY
    with_accuracy: Sign = 1
    """+1 when a larger value is expected of networks that generalize better, -1 a smaller one, 0 when nobody knows."""
    symbol: str = ""
    """LaTeX mathematics with its dollars, such as `$c_1$`; empty for none."""
    settings: tuple[str, ...] = ()
    """Which fields of its record change its value, and so name its column where they vary."""
    version: int = 1
    """Of its numbers: raised when a correction changes them, so that they are computed again."""


def base_name(column: str) -> str:
    """`c3` of the column `c3@k=1`."""
    return column.split(VARIANT, 1)[0]


@cache
def find(name: str) -> About | None:
    """The declaration of the measure `name`, or None when icc has none of that name."""
    for group in GROUPS.values():
        if name in group:
            module, _, attribute = group[name].partition(":")
            declared: About = getattr(import_module(module), attribute)
            return declared
    return None


def known(name: str) -> bool:
    """Whether icc declares a measure of that name; imports nothing."""
    return any(name in group for group in GROUPS.values())
