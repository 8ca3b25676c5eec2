"""Exact percentiles of the neurons of a site."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from icc_cli.measures.site import Array, Site, neuron_blocks, short_blocks, times_read

MOST_READS = 8
"""Times that a site is read for a partition of its neurons; when it would take more, digits do it in four."""
DIGITS = (11, 11, 10)
"""Bits of a float32 that one reading settles: few enough to count them for every neuron in a processor's cache."""


def percentiles(site: Site, percent: float) -> Array:
    """The exact percentile of each neuron over all samples, linearly interpolated: (n,) float64."""
    position = percent * (site.shape[0] - 1) / 100  # in this order a whole position comes out whole
    lower = min(int(position), site.shape[0] - 1)
    fraction = position - lower
    short = site.rows(0, 1).dtype.itemsize <= 4
    select = _by_digits if short and times_read(site) > MOST_READS else _by_partition
    low, high = select(site, lower, fraction > 0)
    return low + fraction * (high - low)


def _by_partition(site: Site, rank: int, both: bool) -> tuple[Array, Array]:
    """The values of `rank` (from 0) and, if `both`, of the rank above it, of every neuron: (n,) each."""
    low, high = np.empty(site.shape[1]), np.empty(site.shape[1])
    for chosen, values in neuron_blocks(site, slice(0, site.shape[0])):
        values.partition(rank, axis=1)
        low[chosen] = values[:, rank]
        high[chosen] = values[:, rank + 1 :].min(axis=1) if both else low[chosen]
    return low, high


def _by_digits(site: Site, rank: int, both: bool) -> tuple[Array, Array]:
    """The same from counts of leading bits: one reading for each of DIGITS, and one for the rank above."""
    neurons = site.shape[1]
    each = np.arange(neurons)
    left = np.full(neurons, rank)  # the rank among the values whose leading bits are those found
    found = np.zeros(neurons, np.uint32)
    shift = 32
    for bits in DIGITS:
        counts = np.zeros(neurons << bits, np.int64)
        for keys in _keys(site):
            if shift == 32:
                columns, chosen = np.tile(each, len(keys)), keys.ravel()
            else:
                places = np.flatnonzero(keys >> np.uint32(shift) == found)
                columns, chosen = places % neurons, keys.ravel()[places]
            digits = (chosen >> np.uint32(shift - bits)) & np.uint32((1 << bits) - 1)
            np.add.at(counts, (columns << bits) + digits, 1)
        upto = counts.reshape(neurons, -1).cumsum(axis=1)
        digit = (upto <= left[:, None]).sum(axis=1)
        found = (found << np.uint32(bits)) | digit.astype(np.uint32)
        left -= np.where(digit > 0, upto[each, digit - 1], 0)
        shift -= bits
    low = _values(found).astype(np.float64)
    if not both:
        return low, low
    same = counts.reshape(neurons, -1)[each, digit]
    next_above = np.full(neurons, np.uint32(0xFFFFFFFF))
    for keys in _keys(site):
        np.minimum(next_above, np.where(keys > found, keys, np.uint32(0xFFFFFFFF)).min(axis=0), out=next_above)
    return low, np.where(left + 1 < same, low, _values(next_above))


def _keys(site: Site) -> Iterator[NDArray[np.uint32]]:
    """The site's values as whole numbers in the same order, a block of rows (b, n) at a time."""
    for numbers in short_blocks(site, slice(0, site.shape[0])):
        block = np.ascontiguousarray(numbers, dtype=np.float32)
        bits = (block + np.float32(0)).view(np.int32)  # which makes one zero of both
        yield (bits ^ ((bits >> 31) | np.int32(-(2**31)))).view(np.uint32)


def _values(keys: NDArray[np.uint32]) -> NDArray[np.float32]:
    """The values that have these keys."""
    bits = keys.view(np.int32)
    return (bits ^ (~(bits >> 31) | np.int32(-(2**31)))).view(np.float32)
