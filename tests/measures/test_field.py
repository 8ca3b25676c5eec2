"""The measures beside c1 to c4 against the slow oracle, on the awkward cases, over the head and over every site."""

from contextlib import nullcontext

import numpy as np
import pytest
from sklearn.metrics import davies_bouldin_score

from icc_cli.errors import FormatError
from icc_cli.measures.chosen import choose
from icc_cli.measures.intrinsic_dimension import neighbour_ratios
from icc_cli.measures.network import measure_sites
from icc_cli.measures.options import Options
from icc_cli.measures.site import ArraySite
from icc_cli.measures.whole import Beside, Given, Head
from tests.measures import field_oracle as slow
from tests.measures.cases import CASES

ALL = [one.measure for one in choose(["geometry", "dimension", "neurons", "subclass", "outputs", "train_loss"])]
OVER_HEAD = [one.name for one in ALL if one.over == "head" and one.reduce is None]


def with_head(sites, labels, sublabels, rng):
    """The network whose head takes the last site's activations, with outputs for every class number that is small."""
    labels = np.unique(labels, return_inverse=True)[1]
    F = np.maximum(sites[-1], 0)
    W = rng.normal(size=(labels.max() + 2, F.shape[1]))
    Z = (F / max(1.0, np.abs(F).max()) @ W.T).astype(np.float32)
    head = Head(ArraySite("head", F), W)
    beside = Beside(head, ArraySite("logits", Z), Z.argmax(axis=1), {}, "weights")
    return Given([ArraySite(f"site{i}", X) for i, X in enumerate(sites)], labels, sublabels, beside)


def over_features(F, labels, sublabels):
    F = np.asarray(F).astype(np.float64)
    found = {name: getattr(slow, name)(F, labels) for name in OVER_HEAD if hasattr(slow, name) and name in GEOMETRY}
    found |= {name: getattr(slow, name)(F) for name in DIMENSION}
    found |= {name: getattr(slow, name)(F, labels, sublabels) for name in SUBCLASS}
    return found


GEOMETRY = ("nc1", "nc1_quotient", "cdnv", "nc2_norms", "nc2_angles", "class_separation", "davies_bouldin")
DIMENSION = ("participation_ratio", "effective_rank", "intrinsic_dimension")
SUBCLASS = ("subclass_ncm", "subclass_hscore")


def expected(given, k):
    sites = [np.asarray(site.values) for site in given.sites]
    labels, sublabels = given.labels, given.sublabels
    F = np.asarray(given.beside.head.inputs.values).astype(np.float64)
    Z = np.asarray(given.beside.logits.values).astype(np.float64)
    active = [np.maximum(X, 0).astype(np.float64) for X in sites]
    found = over_features(F, labels, sublabels)
    found |= {
        "nc3": slow.nc3(F, labels, given.beside.head.weight),
        "nc4": slow.nc4(F, labels, given.beside.predictions),
        "class_selectivity": slow.class_selectivity(active, labels),
        "bimodality": slow.bimodality(sites, labels, k),
        "margin": slow.margin(Z, labels),
        "confidence": slow.confidence(Z),
        "ece": slow.ece(Z, labels),
        "train_loss": slow.cross_entropy(Z, labels),
    }
    ratios = [slow.trace_ratio(A, labels) for A in active]
    found["separation_slope"], found["separation_fit"] = slow.line([np.log(r) if r else None for r in ratios])
    return found, [over_features(A, labels, sublabels) for A in active]


SHORT = [(name, 0, 1e-6) for name in CASES]
"""In float32, where it may be."""


def same(got, wanted, where, rel=1e-9):
    for name, value in wanted.items():
        if value is None:
            assert got[name] is None, (where, name, got[name])
        else:
            assert got[name] == pytest.approx(value, rel=rel, abs=1e-12), (where, name)


@pytest.mark.parametrize(("name", "short_from", "rel"), [(name, 2**20, 1e-9) for name in CASES] + SHORT)
def test_oracle(name, short_from, rel, monkeypatch):
    monkeypatch.setattr("icc_cli.measures.site.SHORT_FROM", short_from)
    rng = np.random.default_rng(3)
    sites, labels, sublabels = CASES[name](rng)
    given = with_head([site[:, :12] for site in sites] if name == "many_rows" else sites, labels, sublabels, rng)
    result = measure_sites(given, ALL, Options(k=4, per_site=True))
    whole, sites = expected(given, 4)
    same(result.measures, whole, name, rel)
    for row, wanted in zip(result.per_site, sites, strict=True):
        same(row.measures, wanted, f"{name} {row.name}", rel)
    for name, value in result.measures.items():
        assert value is not None or any(name in note.split(":")[0] for note in result.notes), (name, result.notes)


def test_davies_bouldin_is_scikit_learns():
    rng = np.random.default_rng(0)
    sites, labels, sublabels = CASES["plain"](rng)
    given = with_head(sites, labels, sublabels, rng)
    (measure,) = choose(["davies_bouldin"])
    found = measure_sites(given, [measure.measure], Options(per_site=True))
    assert found["davies_bouldin"] == pytest.approx(davies_bouldin_score(np.maximum(sites[-1], 0), labels), rel=1e-6)
    for row, site in zip(found.per_site, sites, strict=True):
        value = davies_bouldin_score(np.maximum(site, 0).astype(float), labels)
        assert row.measures["davies_bouldin"] == pytest.approx(value, rel=1e-9)


def test_blocks_do_not_matter(monkeypatch):
    rng = np.random.default_rng(1)
    for name in ("plain", "wide", "zero_rows", "unequal_classes"):
        given = with_head(*CASES[name](rng), rng)
        once = measure_sites(given, ALL, Options(k=4, per_site=True))
        for size in ("BLOCK_BYTES", "RESIDENT_BYTES", "HELD_BYTES"):
            monkeypatch.setattr(f"icc_cli.measures.site.{size}", 500)
        monkeypatch.setattr("icc_cli.measures.intrinsic_dimension.BLOCK_BYTES", 500)
        again = measure_sites(given, ALL, Options(k=4, per_site=True))
        monkeypatch.undo()
        same(again.measures, once.measures, name)
        for one, other in zip(again.per_site, once.per_site, strict=True):
            same(one.measures, other.measures, name)


def test_of_many_samples_some_are_drawn(monkeypatch):
    """A plane in ten dimensions has dimension 2, of all samples and of a part; the draw is the same twice."""
    rng = np.random.default_rng(2)
    F = rng.normal(size=(1500, 2)) @ rng.normal(size=(2, 10))
    given = Given([ArraySite("s", F)], np.zeros(1500, int), None, Beside(Head(ArraySite("head", F), np.eye(10))))
    (measure,) = (one.measure for one in choose(["intrinsic_dimension"]))
    whole = measure_sites(given, [measure], Options())["intrinsic_dimension"]
    monkeypatch.setattr("icc_cli.measures.intrinsic_dimension.DRAWN_ROWS", 800)
    monkeypatch.setattr("icc_cli.measures.intrinsic_dimension.MOST_ROWS", 1500)
    assert measure_sites(given, [measure], Options())["intrinsic_dimension"] == whole
    monkeypatch.setattr("icc_cli.measures.intrinsic_dimension.MOST_ROWS", 1000)
    part = [measure_sites(given, [measure], Options())["intrinsic_dimension"] for _ in range(2)]
    assert whole == pytest.approx(2, abs=0.15)
    assert part[0] == part[1] == pytest.approx(2, abs=0.2)
    assert part[0] != whole


def test_a_network_without_a_head_says_so():
    rng = np.random.default_rng(0)
    sites, labels, sublabels = CASES["plain"](rng)
    given = Given([ArraySite("s", site) for site in sites], labels, sublabels)
    found = measure_sites(given, ALL, Options(per_site=True))
    for one in ALL:
        if one.whole:
            assert found[one.name] is None
            assert any(one.name in note.split(":")[0].split(", ") for note in found.notes), one.name
        else:
            assert found[one.name] is not None
    assert found.per_site[0].measures["nc1"] == pytest.approx(
        slow.nc1(np.maximum(sites[0], 0).astype(float), labels), rel=1e-9
    )
    assert "nc3" not in found.per_site[0].measures


@pytest.mark.parametrize("neurons, k", [(1, 1), (31, 1), (96, 2), (95, 1), (160, 3), (960, 15), (1440, 23), (1920, 30)])
def test_k_from_the_data(neurons, k):
    """floor(n/64 + 1/2), one at least."""
    assert Options(k="auto").settled(neurons).neurons == k


def one_site(F, labels, *names):
    """The values of some measures over the rows F (N, n), as activations of a site."""
    given = Given([ArraySite("a", np.asarray(F, float))], np.asarray(labels))
    found = measure_sites(given, [one.measure for one in choose(names)], Options(per_site=True))
    return found.per_site[0].measures


def test_one_class_at_the_mean_of_all():
    """Means 1, 2 and 3 lie 1, 0 and 1 from their own mean; only the angles need a direction of each."""
    found = one_site([[1.0], [2.0], [3.0]], [0, 1, 2], "nc2_norms", "nc2_angles")
    assert found["nc2_norms"] == pytest.approx(np.std([1, 0, 1]) / np.mean([1, 0, 1]))
    assert found["nc2_angles"] is None


def test_every_bin_of_confidence_counts_for_itself():
    """Surest of all and right, undecided and right, nearly as sure and wrong, and less sure and wrong."""
    sure = np.array([0.97, 0.5001, 0.9, 0.65])
    Z = np.log(np.stack([sure, 1 - sure], axis=1))
    beside = Beside(logits=ArraySite("logits", Z))
    given = Given([ArraySite("a", np.ones((4, 1)))], np.array([0, 0, 1, 1]), None, beside)
    found = measure_sites(given, [one.measure for one in choose(["ece"])], Options())
    assert found["ece"] == pytest.approx((0.03 + 0.4999 + 0.9 + 0.65) / 4)


@pytest.mark.parametrize(("value", "refused"), [(np.nan, True), (np.inf, True), (-np.inf, False)])
def test_logits_that_are_no_numbers_are_refused_but_for_classes_that_are_left_out(value, refused):
    beside = Beside(logits=ArraySite("logits", np.array([[1.0, 0.0, value], [0.0, 1.0, 0.5]])))
    given = Given([ArraySite("a", np.ones((2, 1)))], np.array([0, 1]), None, beside)
    with pytest.raises(FormatError, match="logits") if refused else nullcontext():
        measure_sites(given, [one.measure for one in choose(["ece", "margin"])], Options())


def test_the_dimension_of_three_samples_and_of_two():
    rows = [[0.0], [1.0], [3.0]]  # r2/r1: 3/1, 2/1, 3/2; of 3 the lowest 2 count
    x, y = np.log([3 / 2, 2]), -np.log(1 - np.array([1, 2]) / 3)
    assert one_site(rows, [0, 0, 0], "intrinsic_dimension")["intrinsic_dimension"] == pytest.approx(x @ y / (x @ x))
    assert one_site(rows[:2] + rows[:1], [0, 0, 0], "intrinsic_dimension")["intrinsic_dimension"] is None


def slow_ratios(rows):
    rows = rows.astype(np.longdouble)
    apart = np.sort(np.sqrt(((rows[:, None] - rows) ** 2).sum(2)), axis=1)
    return pytest.approx((apart[:, 2] / apart[:, 1]).astype(float), rel=1e-9)


@pytest.mark.parametrize(("far", "dtype"), [(0, "f8"), (1e7, "f8"), (0, "f4"), (1e3, "f4")])
def test_neighbours_far_from_zero(far, dtype):
    rows = (np.random.default_rng(0).normal(size=(200, 3)) + far).astype(dtype)
    assert neighbour_ratios(rows) == slow_ratios(rows)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize("scale", [1, 1e-30, 1e30])
def test_neighbours_that_float32_cannot_tell_apart(scale, dtype):
    """Tight clusters far from each other: their squared distances are lost in those of their centres."""
    random = np.random.default_rng(0)
    rows = 100 * random.normal(size=(6, 64))[random.integers(0, 6, 200)] + 1e-2 * random.normal(size=(200, 64))
    rows = (scale * rows).astype(dtype)
    assert neighbour_ratios(rows) == slow_ratios(rows)


@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_a_few_of_the_neighbours_that_float32_cannot_tell_apart(dtype):
    """They are not the first of the samples, and not beside each other."""
    random = np.random.default_rng(1)
    rows = random.normal(size=(200, 8))
    rows[30::17] = rows[30] + 1e-5 * random.normal(size=(10, 8))
    rows = rows.astype(dtype)
    assert neighbour_ratios(rows) == slow_ratios(rows)


def test_the_nearest_class_where_float32_cannot_tell():
    """Rows between two class means, a millionth of their distance nearer to one, in a site that is taken in float32."""
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 400)
    F = random.normal(size=(1200, 900)) + 5 * random.normal(size=(3, 900))[labels]
    for _ in range(20):  # since they move the means
        first, second = F[:400].mean(0), F[400:800].mean(0)
        F[:40] = (first + second) / 2 + random.uniform(-1e-6, 1e-6, (40, 1)) * (second - first)
    F = F.astype(np.float32)
    means = np.array([F[labels == k].astype(float).mean(0) for k in range(3)])
    nearest = ((F[:, None].astype(float) - means) ** 2).sum(2).argmin(1)
    assert 5 < (nearest[:40] == 1).sum() < 35
    beside = Beside(Head(ArraySite("head", F), np.ones((3, 900))), None, nearest, {}, "weights")
    given = Given([ArraySite("a", F[:, :3])], labels, None, beside)
    assert measure_sites(given, [one.measure for one in choose(["nc4"])], Options()).measures == {"nc4": 0.0}


@pytest.mark.parametrize("stretch", [1, 2000])
def test_float32_far_from_zero_and_beside_a_direction_of_far_more_spread(stretch, monkeypatch):
    rng = np.random.default_rng(0)
    labels, sublabels = np.repeat(np.arange(4), 500), np.tile(np.repeat(np.arange(5), 100), 4)
    turn = np.linalg.qr(rng.normal(size=(12, 12)))[0]
    rows = rng.normal(size=(20, 12))[5 * labels + sublabels] + rng.normal(size=(2000, 12))
    rows = (rows @ turn * np.array([1] * 11 + [stretch]) @ turn.T + 2**18).astype(np.float32)
    chosen = [one.measure for one in choose(["nc1", "subclass_ncm", "davies_bouldin", "nc1_quotient"])]
    given = Given([ArraySite("a", rows)], labels, sublabels)
    exact = measure_sites(given, chosen, Options(per_site=True)).per_site[0].measures
    monkeypatch.setattr("icc_cli.measures.site.SHORT_FROM", 0)
    short = measure_sites(given, chosen, Options(per_site=True)).per_site[0].measures
    same(short, exact, "anisotropic", 1e-6)
