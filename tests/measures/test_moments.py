"""Moments of groups put together, against those of all their samples in long double."""

import numpy as np
import pytest

from icc_cli.measures.moments import all_but_one, merged, of_block


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("sizes", [(1, 1), (3, 1, 40), (7, 7, 7, 7, 7)])
def test_groups_together_and_all_but_one(sizes, offset):
    random = np.random.default_rng(len(sizes))
    groups = [offset + random.normal(number, 1, (size, 6)) for number, size in enumerate(sizes)]
    parts = [of_block(group) for group in groups]
    whole = np.concatenate(groups).astype(np.longdouble)
    together = merged(parts)
    assert np.allclose(together.mean, whole.mean(0).astype(float), rtol=1e-14)
    assert np.allclose(together.std, whole.std(0).astype(float), rtol=1e-9)
    counts = np.array([part.count for part in parts], float)
    means, m2 = all_but_one(counts, np.array([p.mean for p in parts]), np.array([p.m2 for p in parts]))
    for number in range(len(sizes)):
        others = np.concatenate([group for other, group in enumerate(groups) if other != number]).astype(np.longdouble)
        assert np.allclose(means[number], others.mean(0).astype(float), rtol=1e-14)
        assert np.allclose(m2[number], (others.var(0) * len(others)).astype(float), rtol=1e-9, atol=1e-9)
