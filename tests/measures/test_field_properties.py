"""What a rotation of the head, a scale, and the order of samples may change, and what not."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from icc_cli.measures.chosen import choose
from icc_cli.measures.network import measure_sites
from icc_cli.measures.options import Options
from icc_cli.measures.site import ArraySite
from icc_cli.measures.whole import Beside, Given, Head

few = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
NAMES = [
    "nc1",
    "nc1_quotient",
    "cdnv",
    "nc2_norms",
    "nc2_angles",
    "nc3",
    "nc4",
    "class_separation",
    "davies_bouldin",
    "participation_ratio",
    "effective_rank",
    "intrinsic_dimension",
    "subclass_ncm",
    "subclass_hscore",
    "margin",
    "confidence",
    "ece",
]
MEASURES = [one.measure for one in choose(NAMES)]


def network(seed):
    """F (N, d), W, Z, labels, sublabels, and a generator; N is below d for every other seed."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(4), rng.integers(4, 9, size=4))
    sublabels = np.arange(len(labels)) % 2
    order = np.lexsort((sublabels, labels))
    labels, sublabels = labels[order], sublabels[order]
    d = 6 if seed % 2 else 60
    F = rng.normal(size=(4, d))[labels] + rng.normal(size=(8, d))[2 * labels + sublabels]
    F += rng.normal(size=F.shape)
    W = rng.normal(size=(4, d))
    return F, W, F @ W.T, labels, sublabels, rng


def values(F, W, Z, labels, sublabels, measures=MEASURES):
    beside = Beside(Head(ArraySite("head", F), W), ArraySite("logits", Z), Z.argmax(axis=1))
    return measure_sites(Given([ArraySite("s", F)], labels, sublabels, beside), measures, Options())


def same(one, other, names=NAMES):
    for name in names:
        assert one[name] == pytest.approx(other[name], rel=1e-8, abs=1e-10), name


@few
@given(st.integers(0, 10**6))
def test_a_rotation_of_the_head(seed):
    F, W, Z, labels, sublabels, rng = network(seed)
    turn = np.linalg.qr(rng.normal(size=(F.shape[1], F.shape[1])))[0]
    same(values(F @ turn, W @ turn, Z, labels, sublabels), values(F, W, Z, labels, sublabels))


@few
@given(st.integers(0, 10**6), st.integers(-8, 8))
def test_a_scale_of_the_features_or_of_the_weights(seed, power):
    F, W, Z, labels, sublabels, _ = network(seed)
    scale = 2.0**power
    expected = values(F, W, Z, labels, sublabels)
    same(values(scale * F, W, Z, labels, sublabels), expected)
    same(values(F, scale * W, Z, labels, sublabels), expected)


@few
@given(st.integers(0, 10**6))
def test_a_shift_moves_only_what_looks_from_the_origin(seed):
    F, W, Z, labels, sublabels, rng = network(seed)
    moved = values(F + rng.normal(size=F.shape[1]), W, Z, labels, sublabels)
    expected = values(F, W, Z, labels, sublabels)
    same(moved, expected, [name for name in NAMES if name not in ("class_separation", "effective_rank")])
    assert moved["effective_rank"] != pytest.approx(expected["effective_rank"], rel=1e-6)


@few
@given(st.integers(0, 10**6))
def test_the_order_of_samples_inside_a_subclass(seed):
    F, W, Z, labels, sublabels, rng = network(seed)
    order = rng.permutation(len(labels))
    order = order[np.lexsort((sublabels[order], labels[order]))]
    same(values(F[order], W, Z[order], labels, sublabels), values(F, W, Z, labels, sublabels))


@few
@given(st.integers(0, 10**6))
def test_bounds(seed):
    F, W, Z, labels, sublabels, _ = network(seed)
    found = values(F, W, Z, labels, sublabels)
    assert 1 <= found["participation_ratio"] <= min(F.shape) + 1e-9
    assert 1 <= found["effective_rank"] <= min(F.shape) + 1e-9
    assert 0 <= found["class_separation"] <= 1
    assert 0 <= found["nc3"] <= 2
    assert -1 <= found["subclass_ncm"] <= 1
    assert 0 <= found["subclass_hscore"] <= 7 + 1e-9
    assert 0.25 <= found["confidence"] <= 1


def test_collapsed_classes():
    """Points at the corners of a simplex, and a weight that is theirs: every distance from collapse is 0."""
    corners = np.eye(4) - 0.25
    labels = np.repeat(np.arange(4), 5)
    F = corners[labels] + 3.0
    found = values(F, 2 * corners, F @ corners.T, labels, np.zeros(20, int))
    for name in ("nc1", "nc1_quotient", "cdnv", "nc2_norms", "nc2_angles", "nc3", "nc4", "davies_bouldin"):
        assert found[name] == pytest.approx(0, abs=1e-7), name
    assert found["class_separation"] == pytest.approx(1)
