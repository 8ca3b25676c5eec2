"""Labelled data sets, whatever they were read from: images, or inputs of any shape. Imports no torch."""

from icc_cli.data.dataset import Dataset, Images, Split
from icc_cli.data.inputs import Inputs
from icc_cli.data.source import DataSource, load

__all__ = ["DataSource", "Dataset", "Images", "Inputs", "Split", "load"]
