"""c5 tells planted clusters from what is none."""

import numpy as np
import pytest

from icc_cli.measures.bimodality import column_scores

SAMPLES = 2500
COLUMNS = 40


def none(rng, kind):
    """Columns (b, N) without clusters: normal, the maximum over a map of normal numbers, exponential."""
    draw = rng.exponential if kind == "exponential" else rng.normal
    if kind == "pooled":
        return rng.normal(size=(COLUMNS, SAMPLES, 16)).max(axis=2)
    return draw(size=(COLUMNS, SAMPLES))


def clusters(rng, apart, share):
    """Columns of two normal parts, `apart` standard deviations from each other, `share` of the samples in the upper."""
    return rng.normal(size=(COLUMNS, SAMPLES)) + apart * (rng.random((COLUMNS, SAMPLES)) < share)


def scores(columns):
    return column_scores(np.sort(columns.astype(np.float32), axis=1))


@pytest.mark.parametrize("kind", ["normal", "pooled", "exponential"])
def test_tells_clusters_from_none(kind):
    """The share of pairs in which the planted column scores higher is .95 or more."""
    rng = np.random.default_rng(0)
    without = scores(none(rng, kind))
    for apart, share in [(3, 0.2), (3, 0.5), (4.5, 0.2), (4.5, 0.5), (6, 0.2), (6, 0.5), (6, 0.05), (8, 0.05)]:
        found = scores(clusters(rng, apart, share))
        assert np.mean(found[:, None] > without) >= 0.95, (kind, apart, share, np.median(found), np.median(without))


def test_a_normal_column_scores_about_one():
    assert scores(none(np.random.default_rng(1), "normal")).mean() == pytest.approx(1, abs=0.06)


def test_order_scale_and_shift_do_not_matter():
    rng = np.random.default_rng(2)
    columns = np.round(clusters(rng, 4, 0.3)[:5, :300] * 64) / 64
    shuffled = columns[:, rng.permutation(300)]
    assert scores(8 * shuffled + 16) == pytest.approx(scores(columns), rel=1e-6)


def test_columns_without_a_threshold():
    flat = np.full((1, 50), 3.0)
    rare = np.concatenate([np.zeros((1, 98)), np.ones((1, 2))], axis=1)  # 2 of 100 lie above: no share in .05 to .95
    assert scores(flat)[0] == 0
    assert scores(rare)[0] == 0
