"""c5 tells planted clusters from what is none."""

import numpy as np
import pytest
from scipy.stats import norm

from icc_cli.measures import bimodality
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


def at_threshold(columns, below):
    """The score of sorted columns (b, N) at the threshold above the first `below` samples, both parts as they are."""
    share = below / columns.shape[1]
    low, high = columns[:, :below], columns[:, below:]
    z, f = norm.ppf(share), norm.pdf(norm.ppf(share))
    spread = np.sqrt(1 - z * f / share - (f / share) ** 2)
    spread += np.sqrt(1 + z * f / (1 - share) - (f / (1 - share)) ** 2)
    found = (high.mean(axis=1) - low.mean(axis=1)) / (high.std(axis=1) + low.std(axis=1) + 1e-7)
    return found * spread / (f / share + f / (1 - share))


def slow(columns):
    """The best of every threshold of sorted columns (b, N)."""
    columns, count = columns.astype(np.float64), columns.shape[1]
    best = np.zeros(len(columns))
    for below in range(1, count):
        if 0.05 <= below / count <= 0.95:
            apart = columns[:, below - 1] != columns[:, below]
            best = np.maximum(best, np.where(apart, at_threshold(columns, below), 0))
    return best


def awkward(rng, count):
    """Columns (b, N): without clusters, with clear, tight and unequal ones, with ties, of one value but for a few."""
    normal = rng.normal(size=count)
    upper = rng.random(count) < 0.3
    yield from (normal, rng.exponential(size=count), normal + 6 * upper, 1e-3 * normal + upper, 1e-7 * normal + upper)
    yield from (1.0 * upper, np.round(normal), np.maximum(normal, 0), 16 * normal + 2**20, 1e-6 * normal, 1e6 * normal)
    yield from (normal + rng.normal(size=5)[rng.integers(0, 5, count)] for _ in range(30))
    yield from (np.where(upper, 1e-4 * normal, 3 + normal), np.where(upper, normal - 3, 1e-4 * normal))
    yield from (normal - 30 * (np.arange(count) < share * count) for share in (0.01, 0.045))
    yield 1.0 * (np.arange(count) < 0.1 * count)
    yield 1.0 * (np.arange(count) > 0.96 * count) - (np.arange(count) < 0.04 * count)


@pytest.mark.parametrize("count", [2, 3, 19, 40, 256, 383, 1300, 2500])
def test_the_best_of_all_thresholds(count):
    columns = np.sort(np.array(list(awkward(np.random.default_rng(count), count)), dtype=np.float32), axis=1)
    assert column_scores(columns) == pytest.approx(slow(columns), rel=1e-7)


@pytest.mark.parametrize("count", [600, 1300])
def test_the_bound_holds_for_every_threshold_of_a_cell(count):
    columns = np.sort(np.array(list(awkward(np.random.default_rng(5), count))), axis=1)
    x = columns - columns[:, count // 2, None]
    grid = bimodality._grid(count)
    size = grid.size
    below, samples, _ = np.split(x, grid.edges[[0, -1]], axis=1)
    samples = samples.reshape(len(x), -1, size)
    sums = bimodality._running(below.sum(axis=1), samples.sum(axis=2))
    squares = bimodality._running(np.vecdot(below, below), np.vecdot(samples, samples))
    parts = bimodality._parts(sums, squares, grid.below, count, x.sum(axis=1)[:, None], np.vecdot(x, x)[:, None])
    apart = np.minimum(parts.low, parts.high).min(axis=1) > 1e-4 * x.var(axis=1)
    assert apart.sum() > 30
    bound = bimodality._bound(samples, parts, grid)
    scores = np.array([at_threshold(columns, number) for number in range(grid.edges[0], grid.edges[-1] + 1)]).T
    best = np.array([scores[:, a : a + size + 1].max(axis=1) for a in range(0, scores.shape[1] - 1, size)]).T
    assert (best <= bound * (1 + 1e-9))[apart].all()
    assert np.median(bound[apart] / best[apart]) < 1 + 0.15 * size / count


@pytest.mark.parametrize("count", [600, 1300, 2500])
def test_how_far_the_reference_hangs_below_its_chords(count):
    grid = bimodality._grid(count)
    size = grid.size
    left, right = grid.reference[:-1:size], grid.reference[size::size]
    assert len(left) == len(right) == len(grid.sag)
    chords = np.linspace(left, right, size + 1)
    hangs = np.max([chords[i] - grid.reference[i::size][: len(left)] for i in range(size + 1)], axis=0)
    assert (hangs <= grid.sag + 1e-12).all()
    assert (grid.sag <= 2.5 * hangs + 1e-12).all()
