"""Spreads of pairwise distances and silhouettes where sums of plain similarities cancel, against every pair in long
double."""

import tracemalloc

import numpy as np
import pytest

from icc_cli.measures import directions, pairs
from icc_cli.measures.groups import class_groups
from icc_cli.measures.layer_variance import layer_variance
from icc_cli.measures.silhouette import subclass_silhouettes
from icc_cli.measures.site import ArraySite, small
from icc_cli.measures.view import SiteView

CONVENTIONS = ("paper", "reference")
SPREADS = (1.0, 8e-4, 8e-6, 8e-8, 1e-9)
"""About the standard deviation of the cosines."""


def distances(activations):
    """(N, N) in long double; a zero row is at 1 from every other row."""
    rows = activations.astype(np.longdouble)
    lengths = np.sqrt((rows**2).sum(1))
    unit = rows / np.where(lengths > 0, lengths, 1)[:, None]
    found = np.array([((unit - row) ** 2).sum(1) / 2 for row in unit])
    found[lengths == 0] = found[:, lengths == 0] = 1
    np.fill_diagonal(found, 0)
    return found


def brute(activations, convention):
    found = distances(activations)
    chosen = found if convention == "reference" else found[np.triu_indices(len(found), 1)]
    return float(np.sqrt(((chosen - chosen.mean()) ** 2).mean()))


def tight(random, count, neurons, spread):
    """Rows whose cosines spread by about `spread` around one direction."""
    centre = np.abs(random.normal(size=neurons)) + 0.5
    noise = np.sqrt(spread) * random.normal(size=(count, neurons)) * np.linalg.norm(centre) / np.sqrt(neurons)
    return np.maximum(centre + noise * neurons**0.25, 0)


def exact(activations):
    return directions.centred(activations.astype, exact=True, silent=False)


def spreads(activations, convention):
    """By every way of getting it: from the matrix of pairs, from V'V, and from blocks about another centre."""
    block = exact(activations)
    yield pairs.spread_of_few(block, convention)
    if 4 * len(activations) >= 5 * activations.shape[1]:
        yield pairs.spread_of_many(block, pairs.gram(block.rows), convention)
        parts = [exact(part) for part in np.array_split(activations, 5)]
        halves = [pairs.Scatter(parts[0].mean), pairs.Scatter(parts[0].mean)]
        for number, part in enumerate(parts):
            halves[number % 2].add(part)
            halves[number % 2].add_gram(pairs.gram(part.rows))
        halves[0].merge(halves[1])
        yield halves[0].spread(convention)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("shape", [(40, 60), (300, 12), (90, 72), (160, 128), (700, 140)])
def test_tight_sets(shape, spread, convention):
    activations = tight(np.random.default_rng(1), *shape, spread)
    expected = brute(activations, convention)
    for found in spreads(activations, convention):
        assert found == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_zero_rows_duplicates_and_few_rows(convention):
    random = np.random.default_rng(2)
    loose, close = tight(random, 200, 30, 1.0), tight(random, 200, 30, 1e-9)
    for activations in (loose, close):
        activations[random.random(200) < 0.3] = 0
        activations[150:] = activations[:50]
    one_lit = np.zeros((50, 6))
    one_lit[3, 2] = 1
    for activations in (loose, close, one_lit, loose[:2], loose[:3], np.zeros((20, 4)), np.ones((20, 4))):
        expected = brute(activations, convention)
        for found in spreads(activations, convention):
            assert found == pytest.approx(expected, rel=1e-7, abs=1e-15)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_distances_that_are_nearly_all_equal(convention):
    """As many rows as neurons, all but orthogonal: each distance is large, and their spread is 1e-9."""
    random = np.random.default_rng(3)
    activations = np.eye(40) + 1e-9 * random.random((40, 40))
    (found,) = spreads(activations, convention)
    assert found == pytest.approx(brute(activations, convention), rel=1e-6)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("noise", [1e-9, 1e-4, 0.1])
@pytest.mark.parametrize("rest", [1, 2, 4])
def test_distances_as_equal_as_more_rows_than_neurons_allow(rest, noise, convention):
    random = np.random.default_rng(8)
    # Each of the rest at the same angle to 4 of the first 80, which are at right angles.
    others = [np.repeat(np.eye(20), 4, axis=1) / 2, *[np.tile(np.eye(20), (1, 4)) / 2] * (rest - 1)]
    activations = np.concatenate([np.eye(80), *others])
    activations += noise * random.random(activations.shape)
    for found in spreads(activations, convention):
        assert found == pytest.approx(brute(activations, convention), rel=1e-7)


@pytest.mark.parametrize(("neurons", "tolerance"), [(64, 1e-7), (pairs.FLOAT32_FROM, 2e-6)])
def test_rows_in_float32_that_hold_the_same_few_numbers(neurons, tolerance):
    """Sums of equal numbers, whose rounding in float32 does not average out."""
    random, eye = np.random.default_rng(8), np.eye(neurons // 4)
    activations = np.concatenate([np.eye(neurons), np.repeat(eye, 4, axis=1), *[np.tile(eye, (1, 4))] * 9])
    activations = (activations + 1e-9 * random.random(activations.shape)).astype(np.float32)
    block = exact(activations)
    found, expected = (
        pairs.spread_of_many(block, product, "paper")
        for product in (pairs.gram(block.rows.astype(np.float32)), block.rows.T @ block.rows)
    )
    assert found == pytest.approx(expected, rel=tolerance)


def test_active_parts_of_a_site_that_is_taken_in_float32():
    """As c4 has them: three quarters of each column are 0."""
    random = np.random.default_rng(1)
    labels = np.repeat(np.arange(40), 256)
    site = ArraySite("a", (random.normal(size=(40 * 256, 128)) + random.normal(size=(40, 128))[labels]).astype("f4"))
    assert not small(site)
    active = site.values.astype(float)
    active = (active - active.mean(0)) / (active.std(0) + 1e-7)
    active = np.maximum(active - np.percentile(active, 75, axis=0), 0)
    found = layer_variance(SiteView(site, class_groups(labels, None), "paper"))
    expected = [brute(active[labels == label], "paper") for label in range(3)]
    assert found[:3] / found[0] == pytest.approx(np.array(expected) / expected[0], rel=1e-7)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_sums_over_blocks_of_a_few_rows(count, convention):
    activations = np.abs(np.random.default_rng(7).normal(size=(count, 3)))
    sums = pairs.Scatter(np.full(3, 0.5))
    for row in activations:
        block = exact(row[None].copy())
        sums.add(block)
        sums.add_gram(pairs.gram(block.rows))
    expected = brute(activations, convention) if count > 1 else 0
    assert sums.spread(convention) == pytest.approx(expected, rel=1e-7, abs=3e-8)  # the root of rounding


def test_a_tight_class_in_a_wide_data_set_and_a_tight_data_set():
    random = np.random.default_rng(4)
    for spread in SPREADS:
        parts = [tight(random, 100, 20, spread) for _ in range(3)]
        whole = pairs.Scatter(exact(parts[0]).mean)
        for part in parts:
            block = exact(part)
            whole.add(block)
            whole.add_gram(pairs.gram(block.rows))
        assert whole.spread("paper") == pytest.approx(brute(np.concatenate(parts), "paper"), rel=1e-7)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_few_samples_of_many_neurons_take_no_matrix_of_neurons(convention):
    """50 samples of 6,000 neurons: V'V alone would be 288 MB."""
    site = ArraySite("a", np.random.default_rng(6).normal(size=(50, 6000)).astype(np.float32))
    tracemalloc.start()
    found = layer_variance(SiteView(site, class_groups(np.repeat([0, 1], 25), None), convention))
    assert tracemalloc.get_traced_memory()[1] < 30e6
    tracemalloc.stop()
    active = site.values.astype(float)
    active = (active - active.mean(0)) / (active.std(0) + 1e-7)
    q = 75 if convention == "paper" else max(min(round(100 - 1000 / 6000), 75), 0)
    active = np.maximum(active - np.percentile(active, q, axis=0), 0)
    whole = brute(active, convention) + 1e-7
    expected = [brute(active[:25], convention) / whole, brute(active[25:], convention) / whole]
    assert found == pytest.approx(expected, rel=1e-7)


def silhouettes(activations, own):
    """The mean silhouette of each subclass, from every pair."""
    found = distances(activations)
    scores = []
    for i, name in enumerate(own):
        mates = np.flatnonzero((own == name) & (np.arange(len(own)) != i))
        inside = found[i, mates].mean() if len(mates) else 0
        nearest = min(found[i, own == other].mean() for other in set(own) - {name})
        larger = max(inside, nearest)
        scores.append((nearest - inside) / larger if len(mates) and larger >= 1e-12 else 0)
    return [float(np.mean([s for s, o in zip(scores, own, strict=True) if o == name])) for name in sorted(set(own))]


@pytest.mark.parametrize("spread", [1.0, 1e-6, 1e-9, 1e-11])
def test_silhouettes_of_tight_subclasses(spread, monkeypatch):
    random = np.random.default_rng(5)
    own = np.repeat([0, 1, 2, 3], [1, 40, 25, 34])
    activations = tight(random, 100, 16, spread)
    activations[own == 2] *= 1 + np.sqrt(spread) * np.arange(16) / 16
    if spread == 1.0:
        activations[random.random(100) < 0.2] = 0
    expected = silhouettes(activations, own)
    for held in (2**25, 1000):
        monkeypatch.setattr("icc_cli.measures.site.HELD_BYTES", held)
        monkeypatch.setattr("icc_cli.measures.site.BLOCK_BYTES", held)
        view = SiteView(ArraySite("a", activations), class_groups(np.zeros(100, int), own))
        assert subclass_silhouettes(view) == pytest.approx(expected, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize(
    ("shape", "given", "taken"),
    [
        ((100, 64), "f8", "f8"),
        ((600, 64), "f4", "f8"),
        ((2000, 1024), "f8", "f8"),
        ((2048, 1024), "f8", "f4"),
        ((10, 1024), "f4", "f4"),
    ],
)
def test_the_precision_of_products(shape, given, taken):
    rows = np.random.default_rng(0).integers(-3, 4, shape).astype(given)
    product = pairs.gram(rows)
    assert product.dtype == np.dtype(taken) and np.array_equal(product, rows.T @ rows)
