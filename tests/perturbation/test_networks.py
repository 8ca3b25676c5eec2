"""Every kind of network: batch norm in both modes, none, dropout, frozen, shared, half precision."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from icc_cli.data import Split
from icc_cli.errors import CheckpointError
from icc_cli.perturbation.estimate import Settings, Target
from icc_cli.perturbation.random_draws import RandomDraws
from icc_cli.perturbation.samples import chosen, of_split
from icc_cli.perturbation.sharpness import sharpness_on
from icc_cli.perturbation.weight_space import weight_space
from icc_cli.subject import Normalisation

CPU = torch.device("cpu")
EASY = Target("drop", 0.1)


class Shared(nn.Module):
    """Two layers with one weight."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 2)
        self.second.weight = self.first.weight

    def forward(self, images):
        return self.head(F.relu(self.second(F.relu(self.first(images.flatten(1))))))


def conv(*after):
    return nn.Sequential(nn.Conv2d(1, 6, 3), *after, nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(24, 2))


KINDS = {
    "norm": lambda: conv(nn.BatchNorm2d(6)),
    "plain": lambda: conv(),
    "dropout": lambda: conv(nn.BatchNorm2d(6), nn.Dropout(0.5)),
    "shared": Shared,
    "group": lambda: conv(nn.GroupNorm(2, 6)),
}


@pytest.fixture(scope="module")
def split():
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 160)
    images = random.integers(0, 160, (160, 4, 4, 1))
    images[:, 0, 0, 0] += 60 * labels
    images[:, 2, 1, 0] += 90 * labels
    return Split(images.astype(np.uint8), labels.astype(np.int64))


def fitted(kind, split):
    torch.manual_seed(0)
    network = KINDS[kind]()
    inputs = torch.from_numpy(split.images).permute(0, 3, 1, 2) / 255
    optimizer = torch.optim.Adam(network.parameters(), 0.02)
    for _ in range(60):
        optimizer.zero_grad()
        F.cross_entropy(network(inputs), torch.from_numpy(split.labels)).backward()
        optimizer.step()
    return network


def samples(split, at_most=None):
    return of_split(split, Normalisation((0.0,), (1.0,)), CPU, chosen(len(split), at_most, 0))


def run(network, split, settings=None, max_samples=None, **options):
    settings = settings or Settings(EASY, tolerance=0.2, ascent_steps=10)
    return sharpness_on(network, samples(split, max_samples), settings, "s", **options)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_numbers_and_stays_as_it_is(kind, split):
    network = fitted(kind, split)
    network.train()
    before = copy.deepcopy(network.state_dict())
    first = run(network, split)
    assert all(e.inverse > 0 for e in first.estimates.values())
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert run(network, split).estimates == first.estimates
    frozen = copy.deepcopy(network).requires_grad_(False)
    assert run(frozen, split).estimates == first.estimates


def test_the_two_modes_of_batch_norm_differ_only_with_batch_norm(split):
    modes = [Settings(EASY, modes=("random",), bn=bn, tolerance=0.2) for bn in ("eval", "batch")]
    for kind, differs in (("norm", True), ("plain", False)):
        network = fitted(kind, split)
        spaces = [
            weight_space(network, samples(split), kernels_only=True, batch_statistics=b, batch_size=512)
            for b in (False, True)
        ]
        draws = [RandomDraws(space, "s", 128).accuracies(0.5, range(4)) for space in spaces]
        assert np.array_equal(*draws) != differs
        assert [set(run(network, split, s).clean) for s in modes] == [{"eval"}, {"batch"}]


class PutsItselfInTraining(nn.Module):
    """A network whose forward pass calls `self.train()`."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, images):
        self.train()
        return self.inner(images)


def test_dropout_stays_off_whatever_the_forward_pass_does(split):
    network, given = fitted("dropout", split), samples(split)
    options = {"kernels_only": False, "batch_statistics": False, "batch_size": 64}
    plain, stubborn = (weight_space(one, given, **options) for one in (network, PutsItselfInTraining(network)))
    inputs = given.inputs(torch.arange(len(split)))
    assert torch.equal(plain.logits(plain.weights, inputs), stubborn.logits(stubborn.weights, inputs))


def test_kernels_are_weights_of_more_than_one_dimension(split):
    network = fitted("norm", split)
    for kernels_only, count in ((True, 2), (False, 6)):
        space = weight_space(network, samples(split), kernels_only=kernels_only, batch_statistics=False, batch_size=9)
        assert len(space.weights) == count
        assert not kernels_only or all(weight.dim() > 1 for weight in space.weights.values())


def test_a_shared_weight_has_one_perturbation(split):
    network = fitted("shared", split)
    space = weight_space(network, samples(split), kernels_only=False, batch_statistics=False, batch_size=512)
    assert "first.weight" in space.weights and "second.weight" not in space.weights
    weights = {name: weight + 0.3 * torch.randn_like(weight) for name, weight in space.weights.items()}
    inputs = space.samples.inputs(torch.arange(160))
    by_hand = copy.deepcopy(network).eval()
    by_hand.load_state_dict(weights, strict=False)
    with torch.no_grad():
        by_hand.first.weight.copy_(weights["first.weight"])
        assert torch.allclose(space.logits(weights, inputs), by_hand(inputs), atol=1e-6)


def test_half_precision_is_computed_in_float32(split):
    network = fitted("norm", split).half()
    assert run(network, split).estimates == run(copy.deepcopy(network).float(), split).estimates


def test_perturbation_against_a_loop(split):
    """Mean and deviation of a weight's change over many draws: 0 and m (abs(w) + 1e-3)."""
    network = fitted("plain", split)
    space = weight_space(network, samples(split), kernels_only=False, batch_statistics=False, batch_size=512)
    draws = RandomDraws(space, "s")
    weight = space.weights["0.weight"]
    changes = torch.stack([draws._draw(0.3, i)[0]["0.weight"] - weight for i in range(2000)])
    expected = 0.3 * (weight.abs() + 1e-3)
    assert torch.allclose(changes.std(0), expected, rtol=0.08)
    assert (changes.mean(0).abs() < 5 * expected / 2000**0.5).all()


def test_samples_and_batch_size(split):
    network = fitted("norm", split)
    few = Settings(EASY, "reference", ("random",))
    assert run(network, split, few, max_samples=50).estimates["inv_sigma"].passes % 50 == 0
    plain = Settings(EASY, modes=("random",), bn="eval")
    assert run(network, split, plain, batch_size=7).estimates == run(network, split, plain).estimates


def test_a_head_that_does_not_fit(split):
    with pytest.raises(CheckpointError, match="2 outputs"):
        run(fitted("plain", split), Split(split.images, split.labels + 1))


@pytest.mark.parametrize(
    "wrapped", [lambda h, z: (h, z), lambda h, z: {"loss": None, "logits": z}, lambda h, z: (z, h)]
)
def test_logits_are_found_wherever_a_network_gives_them(wrapped, split):
    class Wrapped(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, images):
            h = self.inner[:-1](images)
            return wrapped(h.relu() - 9, self.inner[-1](h))

    network = fitted("plain", split)
    options = {"kernels_only": False, "batch_statistics": False, "batch_size": 64}
    plain = weight_space(network, samples(split), **options)
    space = weight_space(Wrapped(network), samples(split), **options)
    assert plain.accuracy() == space.accuracy() > 0.6
    rows = torch.arange(9)
    weights = {f"inner.{name}": 1.1 * weight for name, weight in plain.weights.items()}
    expected = plain.logits({name: 1.1 * weight for name, weight in plain.weights.items()}, plain.samples.inputs(rows))
    assert torch.equal(space.logits(weights, space.samples.inputs(rows)), expected)
