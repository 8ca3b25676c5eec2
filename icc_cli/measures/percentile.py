"""Exact percentiles of the neurons of a site."""

import numpy as np

from icc_cli.measures.site import Array, Site, neuron_blocks


def percentiles(site: Site, percent: float) -> Array:
    """The exact percentile of each neuron over all samples, linearly interpolated: (n,) float64."""
    count, neurons = site.shape
    position = percent * (count - 1) / 100  # in this order a whole position comes out whole
    lower = min(int(position), count - 1)
    fraction = position - lower
    result = np.empty(neurons)
    for chosen, values in neuron_blocks(site):
        values.partition(lower, axis=1)
        low = values[:, lower].astype(np.float64)
        high = values[:, lower + 1 :].min(axis=1) if fraction else low
        result[chosen] = low + fraction * (high - low)
    return result
