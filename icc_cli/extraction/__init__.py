"""What a network computes on its training data, captured before every activation function."""

from icc_cli.extraction.capture import Capture
from icc_cli.extraction.extract import Extraction, extract, resolve_device

__all__ = ["Capture", "Extraction", "extract", "resolve_device"]
