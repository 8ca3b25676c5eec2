"""icc: measures of trained networks' internal representations, and how well they rank generalization.

The library behind the command: `activations` takes a network's pre-activations, `measure` and `sharpness` compute
measures of it, `rank` says how well measures order networks, `Monitor` follows one along its training, and `Measure`
declares a measure of your own. Importing the package imports none of torch, numpy or h5py; a name is imported when it
is first used.
"""

from typing import TYPE_CHECKING

from icc_cli._lazy import exports

if TYPE_CHECKING:
    from icc_cli.errors import IccError
    from icc_cli.extraction.how import Extraction
    from icc_cli.extraction.loader import activations
    from icc_cli.measures.declare import Measure
    from icc_cli.measuring import measure
    from icc_cli.monitor import Monitor
    from icc_cli.perturbation.given import sharpness
    from icc_cli.ranking.rank import rank
    from icc_cli.reading import read_records

__version__ = "0.1.0"

__all__ = [
    "Extraction",
    "IccError",
    "Measure",
    "Monitor",
    "activations",
    "measure",
    "rank",
    "read_records",
    "sharpness",
]

__getattr__, __dir__ = exports(
    __name__,
    {
        "Extraction": "icc_cli.extraction.how",
        "IccError": "icc_cli.errors",
        "Measure": "icc_cli.measures.declare",
        "Monitor": "icc_cli.monitor",
        "activations": "icc_cli.extraction.loader",
        "measure": "icc_cli.measuring",
        "rank": "icc_cli.ranking.rank",
        "read_records": "icc_cli.reading",
        "sharpness": "icc_cli.perturbation.given",
    },
)
