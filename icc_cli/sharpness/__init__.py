"""How far the weights can be moved before a network loses its training accuracy: the sharpness measures."""

from icc_cli.sharpness.estimate import Estimate, Settings, Target
from icc_cli.sharpness.sharpness import MEASURES, Sharpness, sharpness

__all__ = ["MEASURES", "Estimate", "Settings", "Sharpness", "Target", "sharpness"]
