"""icc: intraclass clustering measures of trained networks, and how well they rank generalization."""

__version__ = "0.1.0"
