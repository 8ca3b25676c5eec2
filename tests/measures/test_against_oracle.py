"""c1 to c4 against the slow oracle, on every case of `cases`, and what the oracle itself stands on.

Agreement is to 1e-5 relative. The absolute part covers values that are 0 in exact arithmetic: a closed form leaves
about 1e-8 of c4 where all the distances of a class are equal.
"""

import sys
import tracemalloc

import numpy as np
import oracle
import pytest
from measures.cases import CASES, clustered, grouped
from sklearn.metrics import silhouette_samples
from sklearn.metrics.pairwise import cosine_distances

from icc_cli.errors import FormatError
from icc_cli.measures.layer_variance import percentiles
from icc_cli.measures.options import Options
from icc_cli.measures.site import ArraySite
from tests.measures.paper import measure

CONVENTIONS = ("paper", "reference")
NAMES = ("c1", "c2", "c3", "c4")
ABSOLUTE = {"c1": 1e-9, "c2": 1e-9, "c3": 1e-9, "c4": 1e-7}
# Distances of about 1e-12, which 1 - u . v holds to four digits.
LOOSE = {("far_from_zero", "c2"): 1e-3}


def seeded(case, seed):
    return CASES[case](np.random.default_rng([seed, *case.encode()]))


def as_sites(arrays):
    return [ArraySite(f"site{i}", array) for i, array in enumerate(arrays)]


def assert_close(got, expected, name, case=""):
    assert (got is None) == (expected is None), (name, got, expected)
    if expected is not None:
        relative = LOOSE.get((case, name), 1e-5)
        assert got == pytest.approx(expected, rel=relative, abs=ABSOLUTE[name]), name


def assert_agrees(got, expected, case=""):
    assert list(got) == list(NAMES)
    for name in NAMES:
        assert_close(got[name], expected[name], name, case)


class Streamed:
    """A site that is not an array in memory: it hands out rows, and counts the longest run it was asked for."""

    def __init__(self, name, values):
        self.name, self.values, self.shape, self.longest = name, values, values.shape, 0

    def rows(self, start, stop):
        self.longest = max(self.longest, min(stop, len(self.values)) - start)
        return self.values[start:stop]


@pytest.mark.parametrize(("k", "layer_k"), [(1, 1), (4, 2), (10_000, 99)])
@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("case", CASES)
def test_measures(case, convention, k, layer_k):
    sites, labels, sublabels = seeded(case, k)
    got = measure(as_sites(sites), labels, sublabels, Options(k=k, layer_k=layer_k, convention=convention))
    assert_agrees(got.measures, oracle.measures(sites, labels, sublabels, k, layer_k, convention), case)
    assert got.per_site is None
    assert got.all_k is None


ODD = "odd_neurons zero_rows duplicates scales far_from_zero tight_clusters tight_classes unequal_classes"


@pytest.mark.parametrize("case", ["plain", "many_rows", "wide", "narrow", *ODD.split()])
def test_float32_does_for_float64_where_rows_are_apart_and_only_there(case, monkeypatch):
    monkeypatch.setattr("icc_cli.measures.site.SHORT_FROM", 0)
    sites, labels, sublabels = seeded(case, 1)
    for convention in CONVENTIONS:
        got = measure(as_sites(sites), labels, sublabels, Options(k=4, layer_k=2, convention=convention)).measures
        expected = oracle.measures(sites, labels, sublabels, 4, 2, convention)
        for name in NAMES:
            assert got[name] == pytest.approx(expected[name], rel=LOOSE.get((case, name), 2e-6), abs=1e-7), name


def test_the_defaults():
    sites, labels, sublabels = seeded("plain", 0)
    expected = oracle.measures(sites, labels, sublabels, k=30, layer_k=1, convention="paper")
    assert_agrees(measure(as_sites(sites), labels, sublabels).measures, expected)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("case", CASES)
def test_per_site(case, convention):
    sites, labels, sublabels = seeded(case, 2)
    options = Options(site_k=3, convention=convention, per_site=True)
    got = measure(as_sites(sites), labels, sublabels, options).per_site
    expected = oracle.per_site(sites, labels, sublabels, 3, convention)
    assert [row["name"] for row in got] == [f"site{i}" for i in range(len(sites))]
    for one, other in zip(got, expected, strict=True):
        assert (one["neurons"], one["dead"]) == (other["neurons"], other["dead"])
        assert_agrees({name: one[name] for name in NAMES}, {name: other[name] for name in NAMES}, case)


@pytest.mark.parametrize("case", CASES)
def test_all_k(case):
    sites, labels, sublabels = seeded(case, 3)
    got = measure(as_sites(sites), labels, sublabels, Options(all_k=True)).all_k
    for name, expected in (("c1", oracle.c1_all_k(sites, labels, sublabels)), ("c3", oracle.c3_all_k(sites, labels))):
        assert (got[name] is None) == (expected is None)
        if expected is not None:
            assert np.shape(got[name]) == expected.shape
            np.testing.assert_allclose(got[name], expected, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("case", ["plain", "odd_neurons", "dead_sites", "classes_of_one"])
def test_without_sublabels(case):
    sites, labels, _ = seeded(case, 0)
    result = measure(as_sites(sites), labels, None, Options(k=4, per_site=True, all_k=True))
    assert_agrees(result.measures, oracle.measures(sites, labels, None, 4))
    assert result.measures["c1"] is None
    assert result.measures["c2"] is None
    assert result.all_k["c1"] is None
    assert all(row["c1"] is None and row["c2"] is None for row in result.per_site)
    assert any("c1" in note for note in result.notes)


@pytest.mark.parametrize("streamed", [False, True], ids=["array", "streamed"])
@pytest.mark.parametrize("block_bytes", [1, 9_973])
@pytest.mark.parametrize("case", ["many_rows", "unequal_classes", "odd_neurons", "wide", "zero_rows", "dead_sites"])
def test_small_blocks(case, block_bytes, streamed, monkeypatch):
    sites, labels, sublabels = seeded(case, 0)
    monkeypatch.setattr("icc_cli.measures.site.BLOCK_BYTES", block_bytes)
    monkeypatch.setattr("icc_cli.measures.site.RESIDENT_BYTES", 4 * block_bytes if streamed else 2**30)
    made = [Streamed(f"site{i}", site) if streamed else ArraySite(f"site{i}", site) for i, site in enumerate(sites)]
    for convention in CONVENTIONS:
        got = measure(made, labels, sublabels, Options(k=4, layer_k=2, convention=convention)).measures
        assert_agrees(got, oracle.measures(sites, labels, sublabels, 4, 2, convention), case)
    if streamed and case == "many_rows":
        assert all(site.longest < len(labels) for site in made)


@pytest.mark.parametrize("held_bytes", [0, 20_000, 2**30])
@pytest.mark.parametrize("processes", [1, 3])
@pytest.mark.parametrize("case", ["many_rows", "unequal_classes", "odd_neurons", "wide", "zero_rows", "dead_sites"])
def test_processes_and_what_is_held_change_nothing(case, processes, held_bytes, monkeypatch):
    monkeypatch.setattr("icc_cli.measures.site.HELD_BYTES", held_bytes)
    monkeypatch.setattr(sys.modules["icc_cli.measures.network"], "WORTH_FORKS", 0)
    sites, labels, sublabels = seeded(case, 0)
    for chosen in (sites, sites[:1]):  # the sites of several, the classes of one
        expected = oracle.measures(chosen, labels, sublabels, 4, 2)
        assert_agrees(
            measure(as_sites(chosen), labels, sublabels, Options(4, 2), processes=processes).measures, expected, case
        )


@pytest.mark.parametrize("resident", [True, False], ids=["read-once", "streamed"])
def test_a_site_that_is_not_an_array(resident, monkeypatch):
    sites, labels, sublabels = seeded("many_rows", 1)
    if not resident:
        monkeypatch.setattr("icc_cli.measures.site.RESIDENT_BYTES", 50_000)
    got = measure((Streamed(f"site{i}", site) for i, site in enumerate(sites)), labels, sublabels, Options(k=7))
    assert_agrees(got.measures, oracle.measures(sites, labels, sublabels, 7))


@pytest.mark.parametrize(
    "kept_as",
    [
        lambda a: a.astype(np.float16),
        lambda a: a.astype(np.float64),
        np.asfortranarray,
        lambda a: np.repeat(np.repeat(a, 2, axis=0), 2, axis=1)[::2, ::2],
    ],
    ids=["float16", "float64", "fortran", "strided"],
)
def test_layout_and_type_of_the_array(kept_as):
    sites, labels, sublabels = seeded("odd_neurons", 4)
    kept = [kept_as(site) for site in sites]
    before = [site.copy() for site in kept]
    got = measure(as_sites(kept), labels, sublabels, Options(k=7))
    assert_agrees(got.measures, oracle.measures(kept, labels, sublabels, 7))
    for one, other in zip(kept, before, strict=True):
        np.testing.assert_array_equal(one, other)  # the caller's arrays are left as they were


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, np.int64])
def test_type_of_the_labels(dtype):
    sites, labels, sublabels = seeded("repeated_sublabels", 0)
    got = measure(as_sites(sites), labels.astype(dtype), sublabels.astype(dtype), Options())
    assert_agrees(got.measures, oracle.measures(sites, labels, sublabels))


def test_labels_at_the_edge_of_their_type():
    sites, labels, sublabels = seeded("repeated_sublabels", 0)
    expected = oracle.measures(sites, labels, sublabels)
    top = np.iinfo(np.int32).max
    got = measure(as_sites(sites), (labels - 2 + top).astype(np.int32), (sublabels - 2 + top).astype(np.int32))
    assert_agrees(got.measures, expected)


def test_distances_near_the_zero_of_the_silhouette():
    """Mean distances on both sides of 1e-12: below it two clusters count as one point, above it they do not."""
    labels, sublabels = grouped([[3, 3], [4, 4]])
    for angle, expected in ((1e-7, 0.0), (1e-5, 1.0)):  # a distance is angle^2 / 2
        site = np.zeros((14, 2))
        site[:, 0] = 1.0
        site[sublabels % 2 == 1, 1] = angle
        got = measure([ArraySite("site", site.astype(np.float32))], labels, sublabels, Options()).measures["c2"]
        assert got == pytest.approx(expected, abs=1e-9)
        assert oracle.c2([site], labels, sublabels) == pytest.approx(expected, abs=1e-9)


def test_silhouette_of_points_that_almost_touch_stays_in_bounds():
    """Subclasses of equal rows: a mean distance within one that rounds below 0 must not lift the value above 1."""
    labels, sublabels = grouped([[7, 5]] * 40)
    rng = np.random.default_rng(0)
    rows = np.repeat(1 + rng.random(size=(40, 1, 9)), 12, axis=1)
    rows[:, 7:] += 3e-5 * rng.random(size=(40, 1, 9))
    site = rows.reshape(480, 9).astype(np.float32)
    for subclass in range(0, 80, 2):
        some = (sublabels == subclass) | (sublabels == subclass + 1)
        got = measure([ArraySite("site", site[some])], labels[some], sublabels[some], Options()).measures["c2"]
        assert got == pytest.approx(1, abs=1e-4)
        assert got <= 1


def test_the_epsilon_of_c4_beside_a_small_spread():
    """Two samples of 400 are active, in one direction: Sigma_D is 3.5e-3, and 1e-7 is 3e-5 of it."""
    labels, _ = grouped([[10], [390]])
    site = np.ones((400, 1), dtype=np.float32)
    site[[2, 5]] = 2.0
    expected = oracle.c4([site], labels)
    got = measure([ArraySite("site", site)], labels, None, Options()).measures["c4"]
    assert got == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("count", [4, 99, 787, 3002])
@pytest.mark.parametrize("q", [0, 9, 38, 58, 75])
def test_percentiles(count, q):
    """Between two samples the next one up is looked for, wherever a partial sort has left it."""
    site = np.random.default_rng(count).normal(size=(count, 150)).astype(np.float32)
    got = percentiles(ArraySite("site", site), q)
    np.testing.assert_allclose(got, np.percentile(site.astype(np.float64), q, axis=0), rtol=1e-12)


def test_the_percentile_of_the_reference_convention():
    """One site a time, so that the percentile of each number of live neurons counts by itself."""
    rng = np.random.default_rng(0)
    labels, sublabels = grouped([[7, 6], [9, 5], [8, 11]])
    for alive in (1, 2, 10, 11, 12, 13, 14, 15, 16, 17, 22, 30, 39, 40, 41, 80):
        site = clustered(rng, labels, sublabels, alive)
        site[0] = np.abs(site[0])
        with_dead = np.concatenate([site, -1 - np.abs(site)], axis=1)
        expected = oracle.c4([site], labels, convention="reference")
        for array in (site, with_dead):
            got = measure([ArraySite("site", array)], labels, sublabels, Options(convention="reference")).measures["c4"]
            assert_close(got, expected, "c4")


@pytest.mark.parametrize(("alive", "count"), [(24, 51), (14, 101), (23, 201)])
def test_a_sample_that_lies_on_the_percentile_is_not_active(alive, count):
    """58 % of 50 is 29, which 0.58 * 50 misses: a sample there would be active by 1e-15, and its direction noise."""
    rng = np.random.default_rng(0)
    on = oracle.active_percentile(alive, "reference") * (count - 1) // 100
    values = np.sort(rng.normal(size=(count, alive)).astype(np.float32) + 5, axis=0)
    others = rng.permuted(np.delete(values, on, axis=0), axis=0)
    site = np.concatenate([values[on : on + 1], others])  # the first sample is on the percentile of every neuron
    labels, _ = grouped([[10], [count - 10]])
    got = measure([ArraySite("site", site)], labels, None, Options(convention="reference")).measures["c4"]
    assert_close(got, oracle.c4([site], labels, convention="reference"), "c4")


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_rows_that_are_not_ordered(dtype):
    site = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    ordered, disordered = np.array([0, 0, 1, 1, 2, 2], dtype), np.array([1, 1, 0, 0, 2, 2], dtype)
    with pytest.raises(FormatError, match="not ordered"):
        measure([ArraySite("site", site)], disordered, None, Options())
    with pytest.raises(FormatError, match="not ordered"):
        measure([ArraySite("site", site)], np.zeros(6, dtype), disordered, Options())
    measure([ArraySite("site", site)], ordered, disordered, Options())  # ordered within each class


def test_the_two_conventions_differ():
    sites, labels, sublabels = seeded("reference_widths", 0)
    paper, reference = (
        measure(as_sites(sites), labels, sublabels, Options(convention=convention)).measures
        for convention in CONVENTIONS
    )
    assert [paper[name] == reference[name] for name in NAMES] == [True, True, True, False]


# Notes


def notes_of(case, **options):
    sites, labels, sublabels = seeded(case, 0)
    return measure(as_sites(sites), labels, sublabels, Options(**options)).notes


def test_nothing_to_note():
    assert notes_of("plain", k=5) == []


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("one_subclass", ["c1", "c2", "one subclass"]),
        ("no_second_subclass", ["c1", "c2", "one subclass"]),
        ("unequal_classes", ["c4", "two samples"]),
        ("classes_of_one", ["c4", "two samples"]),
        ("dead_sites", ["c4", "site0", "no live neuron"]),
        ("all_dead", ["c4", "site1", "no live neuron"]),
    ],
)
def test_what_is_left_out_is_noted(case, words):
    assert any(all(word in note for word in words) for note in notes_of(case, k=2))


def test_a_live_site_is_not_called_dead():
    for case in ("one_sample", "classes_of_one"):
        assert not any("no live neuron" in note for note in notes_of(case, k=2))


def test_k_above_what_there_is_is_noted():
    assert notes_of("plain", k=62, layer_k=3) == []  # as many as there are
    assert any("c1" in note and "62" in note for note in notes_of("plain", k=63))
    assert any("3" in note and "sites" in note for note in notes_of("plain", k=2, layer_k=4))


# NaN and infinity


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 33, -1])
def test_a_number_that_is_none_names_its_site(value, row):
    sites, labels, sublabels = seeded("plain", 0)
    sites[1][:, 4] = -1.0
    sites[1][row, 4] = value
    made = [ArraySite(name, site) for name, site in zip(("conv1", "layer2.0.relu#1", "head"), sites, strict=True)]
    for given in (sublabels, None):
        with pytest.raises(FormatError, match=r"layer2\.0\.relu#1"):
            measure(made, labels, given, Options())


def test_nan_in_the_last_small_block(monkeypatch):
    sites, labels, sublabels = seeded("many_rows", 0)
    sites[1][-1, -1] = np.nan
    monkeypatch.setattr("icc_cli.measures.site.BLOCK_BYTES", 2_000)
    monkeypatch.setattr("icc_cli.measures.site.RESIDENT_BYTES", 8_000)
    with pytest.raises(FormatError, match="layer1"):
        measure([Streamed(f"layer{i}", site) for i, site in enumerate(sites)], labels, sublabels, Options())


def test_infinity_of_float16():
    sites, labels, sublabels = seeded("plain", 0)
    with np.errstate(over="ignore"):
        stored = [(site * np.float32(1e5)).astype(np.float16) for site in sites]
    with pytest.raises(FormatError, match="site0"):
        measure(as_sites(stored), labels, sublabels, Options())


# The oracle


def test_oracle_percentile_is_that_of_numpy():
    values = np.random.default_rng(0).normal(size=38)
    for q in (0, 9, 33, 58, 75):
        assert oracle.percentile(values, q) == pytest.approx(np.percentile(values, q), rel=1e-12)


def test_oracle_distances_are_those_of_scikit_learn():
    sites, labels, sublabels = seeded("zero_rows", 0)
    active = np.maximum(sites[0].astype(np.float64), 0)
    np.testing.assert_allclose(oracle.cosine_distances(active), cosine_distances(active), atol=1e-14)
    clusters = labels * 100 + sublabels
    np.testing.assert_allclose(
        oracle.silhouettes(oracle.cosine_distances(active), clusters),
        silhouette_samples(active, clusters, metric="cosine"),
        atol=1e-12,
    )


def test_oracle_by_hand():
    """Numbers small enough for a sheet of paper."""
    labels, sublabels = grouped([[2, 2], [2]])
    site = np.array([[1, -1], [3, -2], [5, -3], [7, -4], [0, -5], [0, -6]], dtype=np.float32)
    # Subclass {1, 3} against {5, 7}: (2 - 6) / (1 + 1) = -2 and its opposite; the dead neuron scores 0.
    assert oracle.c1([site], labels, sublabels, k=1) == pytest.approx((0 + 2) / 2)
    assert oracle.c1([site], labels, sublabels, k=2) == pytest.approx((-1 + 1) / 2, abs=1e-12)
    # sigma of {1, 3, 5, 7} is sqrt(5), of {0, 0} is 0, of all six sqrt(84 / 6 - (16 / 6)^2).
    assert oracle.c3([site], labels, k=1) == pytest.approx(np.sqrt(5) / np.sqrt(14 - 64 / 9) / 2)
    # Rows 1 and 2 of the first subclass along x and y, of the second along x and 0.
    corner = np.array([[1, 0], [0, 1], [1, 0], [0, 0]], dtype=np.float32)
    values = oracle.silhouettes(oracle.cosine_distances(corner), sublabels[:4])
    np.testing.assert_allclose(values, [(0.5 - 1) / 1, 0, (0.5 - 1) / 1, 0])
    # One neuron, 0 to 4: its 75th percentile is 3, so only the last sample is active: all distances are 1.
    line = np.arange(5, dtype=np.float32)[:, None]
    assert oracle.c4([line], np.array([0, 0, 0, 1, 1])) == pytest.approx(0, abs=1e-12)
    # The reference percentile of one neuron is 0: all but the first are active, at 0 from each other and 1 from it.
    # D: 8 ones among 25; the first class: 4 ones among 9; the second: none.
    ratio = np.sqrt(4 / 9 * 5 / 9) / np.sqrt(8 / 25 * 17 / 25)
    got = oracle.c4([line], np.array([0, 0, 0, 1, 1]), convention="reference")
    assert got == pytest.approx(ratio / 2, rel=1e-6)


def test_percentiles_of_a_streamed_site_take_one_buffer(monkeypatch):
    monkeypatch.setattr("icc_cli.measures.site.BLOCK_BYTES", 100_000)
    monkeypatch.setattr("icc_cli.measures.site.RESIDENT_BYTES", 1_000_000)
    values = np.random.default_rng(0).standard_normal((20_000, 60)).astype(np.float32)
    tracemalloc.start()
    try:
        got = percentiles(Streamed("site", values), 75)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    np.testing.assert_allclose(got, np.percentile(values.astype(np.float64), 75, axis=0), rtol=1e-6)
    assert peak < 1_500_000
