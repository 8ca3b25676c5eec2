"""What a network computes on its training data, captured before every activation function.

`activations` and `Activations` are what the library exports; importing the package imports no torch.
"""

from typing import TYPE_CHECKING

from icc_cli._lazy import exports

if TYPE_CHECKING:
    from icc_cli.extraction.capture import Capture
    from icc_cli.extraction.forward import resolve_device
    from icc_cli.extraction.how import Extraction, Sites
    from icc_cli.extraction.in_memory import Activations
    from icc_cli.extraction.loader import activations
    from icc_cli.extraction.ordered import extract

__all__ = ["Activations", "Capture", "Extraction", "Sites", "activations", "extract", "resolve_device"]

__getattr__, __dir__ = exports(
    __name__,
    {
        "Activations": "icc_cli.extraction.in_memory",
        "Capture": "icc_cli.extraction.capture",
        "Extraction": "icc_cli.extraction.how",
        "Sites": "icc_cli.extraction.how",
        "activations": "icc_cli.extraction.loader",
        "extract": "icc_cli.extraction.ordered",
        "resolve_device": "icc_cli.extraction.forward",
    },
)
