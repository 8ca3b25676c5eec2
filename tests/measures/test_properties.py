"""What c1 to c4 must be, whatever the data: invariances, bounds, and the slow oracle on data that hypothesis draws.

Values are small whole numbers, so that ties, zeros, equal rows, constant and dead neurons all turn up by themselves,
and so that rescaling and translation are exact in float32.
"""

import numpy as np
import oracle
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from icc_cli.measures.options import Options
from icc_cli.measures.site import ArraySite
from tests.measures.paper import measure

NAMES = ("c1", "c2", "c3", "c4")
CONVENTIONS = ("paper", "reference")

several = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
few = settings(several, max_examples=30)


@st.composite
def networks(draw, unit=1.0, max_neurons=12):
    """(sites, labels, sublabels): up to 4 classes of up to 4 subclasses, up to 3 sites of multiples of `unit`."""
    sizes = draw(st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=4), min_size=1, max_size=4))
    labels = np.concatenate([np.full(sum(subclasses), c) for c, subclasses in enumerate(sizes)])
    sublabels = np.concatenate([np.full(size, s) for subclasses in sizes for s, size in enumerate(subclasses)])
    widths = draw(st.lists(st.integers(1, max_neurons), min_size=1, max_size=3))
    values = st.integers(-4, 4) if draw(st.booleans()) else st.integers(-2, 1)
    fill = draw(st.sampled_from([None, st.just(0), st.just(-1)]))
    sites = [draw(arrays(np.int64, (len(labels), n), elements=values, fill=fill)) for n in widths]
    return [(site * unit).astype(np.float32) for site in sites], labels, sublabels


def values_of(sites, labels, sublabels, **options):
    return measure([ArraySite(f"site{i}", s) for i, s in enumerate(sites)], labels, sublabels, Options(**options))


def slack(sites):
    """How far c4 may be off: its closed form holds Sigma to about 1e-8, which counts where Sigma_D is next to 0.

    That takes a data set whose distances are all equal: two samples, or a few that share one direction.
    """
    return max(4e-8 / (oracle.smallest_whole_spread(sites, c) + 1e-7) for c in CONVENTIONS)


def same(one, other, names=NAMES, rel=1e-5, sites=()):
    for name in names:
        assert (one[name] is None) == (other[name] is None), name
        if one[name] is not None:
            room = slack(sites) if name == "c4" else 1e-9
            assert one[name] == pytest.approx(other[name], rel=rel, abs=room), name


def as_dict(row):
    return {name: row[name] for name in NAMES}


@several
@given(networks(), st.integers(1, 20), st.integers(1, 4), st.sampled_from(CONVENTIONS))
def test_oracle(network, k, layer_k, convention):
    result = values_of(*network, k=k, layer_k=layer_k, site_k=k, convention=convention, per_site=True, all_k=True)
    same(result.measures, oracle.measures(*network, k, layer_k, convention), sites=network[0])
    for got, expected in zip(result.per_site, oracle.per_site(*network, k, convention), strict=True):
        same(got, expected, sites=network[0])
        assert (got["neurons"], got["dead"]) == (expected["neurons"], expected["dead"])


@several
@given(networks(max_neurons=40), st.sampled_from(CONVENTIONS), st.integers(1, 400), st.randoms(use_true_random=False))
def test_blocks_and_order(network, convention, block_bytes, random):
    """Neither the size of the blocks nor the order of samples within a subclass nor that of neurons changes a value."""
    sites, labels, sublabels = network
    expected = values_of(*network, k=4, convention=convention).measures
    order = list(range(len(labels)))
    random.shuffle(order)
    order.sort(key=lambda i: (labels[i], sublabels[i]))
    shuffled = []
    for site in sites:
        columns = list(range(site.shape[1]))
        random.shuffle(columns)
        shuffled.append(site[order][:, columns])
    random.shuffle(shuffled)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("icc_cli.measures.site.BLOCK_BYTES", block_bytes)
        same(values_of(shuffled, labels, sublabels, k=4, convention=convention).measures, expected, sites=sites)


@several
@given(networks(), st.sampled_from(CONVENTIONS), st.randoms(use_true_random=False))
def test_names_of_classes_and_subclasses(network, convention, random):
    """Classes and subclasses may be renamed and reordered, subclasses in each class by itself."""
    sites, labels, sublabels = network
    expected = values_of(*network, k=4, convention=convention).measures
    numbers = random.sample(range(-50, 1000), 4)
    labels = np.array([numbers[label] for label in labels])
    inner = {label: random.sample(range(-50, 1000), 4) for label in numbers}
    sublabels = np.array([inner[label][name] for label, name in zip(labels.tolist(), sublabels, strict=True)])
    order = np.lexsort((sublabels, labels))
    moved = values_of([site[order] for site in sites], labels[order], sublabels[order], k=4, convention=convention)
    same(moved.measures, expected, sites=sites)


@several
@given(networks(unit=1024.0), st.sampled_from(CONVENTIONS), st.data())
def test_rescaling_and_translation_of_each_neuron(network, convention, data):
    """c1, c3 and c4 do not see a positive scale or a shift of a neuron, unless the shift wakes or kills it."""
    sites, labels, sublabels = network
    moved = []
    for site in sites:
        n = site.shape[1]
        scale = 2.0 ** np.array(data.draw(st.lists(st.integers(0, 7), min_size=n, max_size=n)))
        shift = 1024.0 * np.array(data.draw(st.lists(st.integers(0, 2000), min_size=n, max_size=n)))
        shift = np.where(np.all(site < 0, axis=0), -shift, shift)
        other = site * scale + shift
        assert np.array_equal(other, other.astype(np.float32))
        moved.append(other.astype(np.float32))
    expected = values_of(*network, k=4, convention=convention).measures
    got = values_of(moved, labels, sublabels, k=4, convention=convention).measures
    # A neuron that is constant in both groups of c1 has a score that is the gap over 1e-7: not invariant.
    flat = expected["c1"] is not None and max(abs(expected["c1"]), abs(got["c1"])) > 1e6
    same(got, expected, ("c3", "c4") if flat else ("c1", "c3", "c4"), sites=sites)


@few
@given(networks(), st.data())
def test_scale_of_each_sample(network, data):
    """c2 is about directions: a positive scale of each row of each site leaves it."""
    sites, labels, sublabels = network
    moved = []
    for site in sites:
        scale = data.draw(st.lists(st.integers(-20, 20), min_size=len(site), max_size=len(site)))
        moved.append((site * (2.0 ** np.array(scale))[:, None]).astype(np.float32))
    expected = values_of(*network).measures
    same(values_of(moved, labels, sublabels).measures, expected, ["c2"])


@few
@given(networks())
def test_every_sample_twice(network):
    """Standard deviations are those of the population."""
    sites, labels, sublabels = network
    expected = values_of(*network, k=4).measures
    twice = values_of(
        [np.repeat(site, 2, axis=0) for site in sites],
        np.repeat(labels, 2),
        np.repeat(sublabels, 2),
        k=4,
    ).measures
    same(twice, expected, ["c1", "c3"])


@few
@given(networks(), st.integers(1, 12))
def test_every_neuron_and_every_site_twice(network, k):
    """Copies of a neuron change no direction, and a mean of the 2k largest of two copies is that of the k largest."""
    sites, labels, sublabels = network
    expected = values_of(*network, k=k).measures
    wider = values_of([np.repeat(site, 2, axis=1) for site in sites], labels, sublabels, k=2 * k).measures
    same(wider, expected, sites=sites)
    deeper = values_of([site for site in sites for _ in range(2)], labels, sublabels, k=2 * k, layer_k=2).measures
    same(deeper, expected, sites=sites)


@few
@given(networks(), st.integers(1, 12), st.sampled_from(CONVENTIONS))
def test_dead_neurons(network, k, convention):
    """A dead neuron adds a score of 0 to c1 and c3, and nothing to c2 and c4, whatever its values."""
    sites, labels, sublabels = network
    dead = -1.0 - 1000.0 * (np.arange(len(labels)) % 3 == 0) - 100.0 * sublabels
    grown = [np.concatenate([site, dead[:, None]], axis=1).astype(np.float32) for site in sites]
    expected = values_of(*network, k=k, convention=convention).measures
    got = values_of(grown, labels, sublabels, k=k, convention=convention)
    same(got.measures, expected, ["c2", "c4"], sites=sites)
    flat = [np.concatenate([site, np.full((len(labels), 1), -1.0)], axis=1).astype(np.float32) for site in sites]
    same(got.measures, values_of(flat, labels, sublabels, k=k, convention=convention).measures, rel=0)


@few
@given(networks(), st.integers(1, 40))
def test_neurons_of_all_sites_are_ranked_together(network, k):
    sites, labels, sublabels = network
    together = values_of([np.concatenate(sites, axis=1)], labels, sublabels, k=k).measures
    same(values_of(*network, k=k).measures, together, ["c1", "c3"])


@several
@given(networks(), st.integers(1, 20), st.integers(1, 4))
def test_bounds(network, k, layer_k):
    _, labels, _ = network
    smallest = min(np.unique(labels, return_counts=True)[1])
    for convention in CONVENTIONS:
        result = values_of(*network, k=k, layer_k=layer_k, convention=convention, per_site=True)
        for values in (result.measures, *result.per_site):
            assert all(values[name] is None or np.isfinite(values[name]) for name in NAMES)
            assert values["c2"] is None or -1 <= values["c2"] <= 1
            # n_C sigma_C^2 is at most N sigma_D^2.
            assert 0 <= values["c3"] <= np.sqrt(len(labels) / smallest) + 1e-9
            assert values["c4"] is None or values["c4"] >= 0


@several
@given(networks())
def test_all_k(network):
    sites, *_ = network
    curves = values_of(*network, all_k=True).all_k
    for name in ("c1", "c3"):
        curve = curves[name]
        for k in range(1, 1 + sum(site.shape[1] for site in sites)):
            value = values_of(*network, k=k).measures[name]
            assert (value is None) == (curve is None)
            if curve is not None:
                assert curve[k - 1] == pytest.approx(value, rel=1e-9, abs=1e-9)
        if curve is not None:
            assert len(curve) == sum(site.shape[1] for site in sites)
            assert np.all(np.diff(curve) <= 1e-9 * np.abs(curve[1:]) + 1e-12)


@few
@given(networks(), st.integers(1, 8), st.sampled_from(CONVENTIONS))
def test_a_site_alone(network, site_k, convention):
    """`per_site` is what the site would have if it were the network, and does not change the measures."""
    sites, labels, sublabels = network
    result = values_of(*network, site_k=site_k, convention=convention, per_site=True)
    same(result.measures, values_of(*network, convention=convention).measures, rel=0)
    for site, row in zip(sites, result.per_site, strict=True):
        alone = values_of([site], labels, sublabels, k=site_k, convention=convention).measures
        same(as_dict(row), alone, rel=1e-9)
        assert row["neurons"] == site.shape[1]
        assert row["dead"] == int(np.sum(np.max(site, axis=0) < 0))


@few
@given(networks())
def test_sublabels_do_not_change_the_measures_that_need_none(network):
    sites, labels, _ = network
    without = values_of(sites, labels, None).measures
    same(without, values_of(*network).measures, ["c3", "c4"], sites=sites)
    assert without["c1"] is None
    assert without["c2"] is None
