"""Networks whose answer is known: the searches find it, and state their error honestly."""

import numpy as np
import pytest
import torch
from torch import nn

from icc_cli.perturbation.ascent import Ascents
from icc_cli.perturbation.estimate import Settings, Target
from icc_cli.perturbation.random_draws import RandomDraws
from icc_cli.perturbation.sharpness import sharpness_on
from icc_cli.perturbation.weight_space import weight_space
from tests.perturbation import cases


def measured(network, split, settings, seed="0", name=None):
    found = sharpness_on(network, cases.samples(split), settings, seed).estimates
    return found[name] if name else found


@pytest.mark.parametrize("target", [Target(), Target("accuracy", 0.8), Target("drop", 0.15)])
def test_sigma_of_a_linear_network(target):
    network, split = cases.linear()
    truth = 1 / cases.sigma(network, split, target.of(1.0))
    settings = Settings(target, modes=("random",), tolerance=0.01)
    estimate = measured(network, split, settings, name="inv_sigma")
    assert estimate.outcome == "converged"
    assert 0 < estimate.standard_error <= 0.01 * estimate.inverse * 1.001
    assert abs(estimate.inverse - truth) < 3 * estimate.standard_error
    assert abs(estimate.accuracy - target.of(1.0)) < 0.03


def test_reference_finds_sigma_too():
    network, split = cases.linear()
    truth = cases.sigma(network, split, 0.9)
    found = [
        measured(network, split, Settings(method="reference", modes=("random",)), str(s), "inv_sigma")
        for s in range(20)
    ]
    assert {estimate.outcome for estimate in found} <= {"converged", "not-converged"}
    assert all(estimate.passes == estimate.draws * 40 and estimate.draws % 10 == 0 for estimate in found)
    logs = np.log([estimate.inverse for estimate in found])
    assert abs(logs.mean() + np.log(truth)) < 3 * logs.std(ddof=1) / 20**0.5 + 0.01


@pytest.mark.parametrize("method", ["sequential", "reference"])
def test_ascent_finds_the_worst_corner(method):
    network, split = cases.linear(one_class=True)
    truth = 1 / cases.alpha(network, split, 0.9)
    estimate = measured(network, split, Settings(method=method, modes=("worst",), ascent_steps=60), name="inv_alpha")
    assert estimate.outcome == "converged"
    assert estimate.inverse == pytest.approx(truth, rel=0.03)
    space = weight_space(network, cases.samples(split), kernels_only=False, batch_statistics=False, batch_size=99)
    weights = space.weights["1.weight"].double().numpy()
    sizes = np.abs(weights) + 1e-3
    corner = weights + 0.1 * sizes * np.array([[-1.0], [1.0]])
    exact = ((cases.flat(split.images) @ corner.T).argmax(1) == 0).mean()
    assert Ascents(space, "0", 60).accuracies(0.1, [0], 0.0)[0] == pytest.approx(exact, abs=0.003)


def test_the_interval_of_95_per_cent_holds_the_truth_so_often():
    """100 repetitions with other seeds."""
    network, split = cases.linear(images=200)
    truth = 1 / cases.sigma(network, split, 0.9)
    found = [measured(network, split, Settings(modes=("random",)), f"{s}", "inv_sigma") for s in range(100)]
    inside = sum(abs(e.inverse - truth) <= 1.96 * e.standard_error for e in found)
    assert 90 <= inside <= 99, inside


def test_bounds_and_undefined():
    network, split = cases.linear()
    strong = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    torch.nn.init.zeros_(strong[1].weight)
    strong[1].bias.data = torch.tensor([0.0, 500.0])
    ones = type(split)(split.images, np.ones_like(split.labels))
    for method in ("sequential", "reference"):
        settings = Settings(Target("accuracy", 0.6), method, kernels_only=True, ascent_steps=5)
        found = measured(strong, ones, settings)
        assert {e.outcome for e in found.values()} == {"hit-bound"}
        assert found["inv_sigma_kernels"].inverse == pytest.approx(0.5, rel=1e-4)
        assert found["inv_alpha_kernels"].inverse == pytest.approx(4.0, rel=1e-4)
    wrong = type(split)(split.images, 1 - split.labels)
    found = measured(network, wrong, Settings())
    assert {(e.outcome, e.inverse, e.standard_error) for e in found.values()} == {("undefined", None, None)}


def test_common_random_numbers():
    """One draw is one direction at every magnitude: its accuracy falls with it, however the draws are grouped."""
    network, split = cases.linear()
    space = weight_space(network, cases.samples(split), kernels_only=False, batch_statistics=False, batch_size=512)
    draws = RandomDraws(space, "s")
    table = np.array([draws.accuracies(m, range(8)) for m in np.linspace(0.01, 2, 12)])
    assert (np.diff(table, axis=0) <= 1e-9).all()
    alone = [RandomDraws(space, "s").accuracies(0.5, [i])[0] for i in range(8)]
    assert np.array_equal(RandomDraws(space, "s").accuracies(0.5, range(8)), alone)
    assert not np.array_equal(RandomDraws(space, "t").accuracies(0.5, range(8)), alone)
