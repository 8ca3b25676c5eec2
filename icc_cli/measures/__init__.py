"""The measures c1 to c4, one a file: `selectivity`, `silhouette`, `neuron_variance`, `layer_variance`.

numpy alone; no torch, no files.
"""

from icc_cli.measures.measure import CONVENTIONS, Options, Result, measure
from icc_cli.measures.site import ArraySite, Site

__all__ = ["CONVENTIONS", "ArraySite", "Options", "Result", "Site", "measure"]
