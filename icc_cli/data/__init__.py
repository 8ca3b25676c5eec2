"""Labelled image data sets as plain arrays, whatever they were read from. Imports no torch."""

from icc_cli.data.dataset import Dataset, Images, Split
from icc_cli.data.source import DataSource, load

__all__ = ["DataSource", "Dataset", "Images", "Split", "load"]
