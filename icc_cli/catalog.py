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
