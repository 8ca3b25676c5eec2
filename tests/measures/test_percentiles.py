"""Percentiles by digits, against numpy's order of all values: for sites that are too large to be transposed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from icc_cli.measures import percentile
from icc_cli.measures.site import ArraySite, neuron_blocks


class Streamed:
    """A site that is not in memory, and counts how often it is read."""

    name = "a"

    def __init__(self, values):
        self.values, self.shape, self.read = values, values.shape, 0

    def rows(self, start, stop):
        self.read += min(stop, len(self.values)) - start
        return self.values[start:stop]


NUMBERS = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-45])
VALUES = array_shapes(min_dims=2, max_dims=2, max_side=9).flatmap(lambda s: arrays(np.float32, s, elements=NUMBERS))


@given(VALUES, st.data())
def test_digits_find_every_rank(values, data):
    rank = data.draw(st.integers(0, len(values) - 1))
    both = rank + 1 < len(values)
    ordered = np.sort(values, axis=0).astype(np.float64)
    low, high = percentile._by_digits(Streamed(values), rank, both)
    assert np.array_equal(low, ordered[rank])
    assert np.array_equal(high, ordered[rank + both])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_large_site_is_read_a_few_times(dtype, monkeypatch):
    random = np.random.default_rng(0)
    values = np.round(random.normal(size=(501, 30)), 1).astype(dtype)
    values[:, 3] = 7
    expected = {percent: percentile.percentiles(ArraySite("a", values), percent) for percent in (0, 58, 75, 99.9)}
    monkeypatch.setattr("icc_cli.measures.site.RESIDENT_BYTES", 4000)
    monkeypatch.setattr("icc_cli.measures.site.BLOCK_BYTES", 5000)
    for percent, found in expected.items():
        site = Streamed(values)
        assert np.array_equal(percentile.percentiles(site, percent), found)
        if dtype != np.float64:
            assert site.read <= 4 * len(values) + 1
    assert np.allclose(expected[75], np.percentile(values.astype(float), 75, axis=0), rtol=1e-12)


@pytest.mark.parametrize("shape", [(3, 12_000), (700, 40), (12_000, 1)])
def test_neurons_are_the_rows_transposed(shape):
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    found = [block.copy() for _, block in neuron_blocks(ArraySite("a", values), slice(1, shape[0] - 1))]
    assert np.array_equal(np.concatenate(found), values[1:-1].T)
