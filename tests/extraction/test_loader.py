"""`activations`: any loader, in any order, in memory or in a cache; the caller's model and random states untouched."""

import copy
import json
import random
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from icc_cli.cache import open_cache
from icc_cli.errors import CheckpointError, DataError
from icc_cli.extraction import Activations, Extraction, Sites, activations
from icc_cli.measuring import measure
from tests.conftest import icc

COUNT = 50


class Net(nn.Module):
    """A network with what a caller may care for: batch norm, dropout in training mode, a frozen part, hooks."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 6, 3)
        self.norm = nn.BatchNorm2d(6)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(6 * 16, 4)
        self.calls = 0
        self.register_buffer("counter", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        self.counter += 1
        self.last = x
        return self.head(self.dropout(F.relu(self.norm(self.conv(x)))).flatten(1))


@pytest.fixture
def net():
    torch.manual_seed(0)
    net = Net().train()
    net.norm.eval()
    net.head.requires_grad_(False)
    net(torch.randn(3, 2, 6, 6)).sum().backward()
    return net


@pytest.fixture
def samples():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(COUNT, 2, 6, 6, generator=generator)
    y = torch.randint(0, 4, (COUNT,), generator=generator)
    return x, y, torch.randint(0, 3, (COUNT,), generator=generator)


def by_hand(net, x):
    net = copy.deepcopy(net).eval()
    with torch.no_grad():
        values = net.norm(net.conv(x))
        return values.amax((2, 3)).numpy(), net(x).argmax(1).numpy()


LOADERS = {
    "arrays": lambda x, y, s: (x, y, s),
    "numpy": lambda x, y, s: (x.numpy(), y.numpy(), s.numpy()),
    "loader": lambda x, y, s: DataLoader(TensorDataset(x, y, s), 7),
    "shuffled": lambda x, y, s: DataLoader(TensorDataset(x, y, s), 7, shuffle=True),
    "batches": lambda x, y, s: zip(x.split(9), y.split(9), s.split(9), strict=True),
}


@pytest.mark.parametrize("kind", LOADERS)
def test_what_is_counted_on_the_network_and_its_loss_are_known_of_any_loader(kind, net, samples):
    found = activations(net, LOADERS[kind](*samples)).metadata["metrics"]
    assert (found["sites"], found["neurons"]) == (1, 6)
    assert found["parameters"] == sum(parameter.numel() for parameter in net.parameters())
    squares = sum(float(parameter.detach().double().pow(2).sum()) for parameter in net.parameters())
    assert found["weight_norm"] == pytest.approx(squares**0.5, rel=1e-12)
    assert found["path_norm"] == activations(net, samples).metadata["metrics"]["path_norm"] > 0
    with torch.no_grad():
        loss = nn.functional.cross_entropy(copy.deepcopy(net).eval()(samples[0]), samples[1])
    assert found["train_loss"] == pytest.approx(float(loss), rel=1e-6)


@pytest.mark.parametrize("kind", LOADERS)
@pytest.mark.parametrize("cached", [False, True])
def test_rows_in_any_order_are_the_networks_own_by_class_and_subclass(kind, cached, net, samples, tmp_path):
    values, predictions = by_hand(net, samples[0])
    given = LOADERS[kind](*samples)
    if cached:
        path = activations(net, given, path=tmp_path / "new" / "net.h5")
        with open_cache(path) as cache:
            assert cache.content_key and cache.metadata["checkpoint"] == "net"
            found = Activations(
                tuple(cache.sites), cache.sample_id, cache.labels, cache.sublabels, cache.predictions
            )  # fmt: skip
            rows = cache.sites[0].rows(0, COUNT)
        assert sorted(path.name for path in path.parent.iterdir()) == ["net.h5"]
    else:
        found = activations(net, given)
        rows = found["relu"]
        assert found.metadata["metrics"]["train_accuracy"] == np.mean(found.predictions == found.labels)
    order = np.lexsort([samples[2], samples[1]])
    keys = list(zip(found.labels, found.sublabels, strict=True))
    assert keys == list(zip(samples[1].numpy()[order], samples[2].numpy()[order], strict=True))
    assert (found.sites[0].name, found.sites[0].kind, found.sites[0].shape) == ("relu", "map", (COUNT, 6))
    # Where the loader shuffles, a sample is known by its values.
    ids = found.sample_id if kind != "shuffled" else [np.abs(values - row).sum(1).argmin() for row in rows]
    assert sorted(ids) == list(range(COUNT))
    assert np.array_equal(samples[1].numpy()[ids], found.labels)
    np.testing.assert_allclose(rows, values[ids], rtol=1e-5, atol=1e-6)
    assert np.array_equal(found.predictions, predictions[ids])


def test_sublabels_beside_a_loader_are_matched_in_its_order(net, samples):
    x, y, fine = samples
    loader = DataLoader(TensorDataset(x, y), 7)
    assert np.array_equal(activations(net, loader, sublabels=fine).sublabels, activations(net, samples).sublabels)
    assert np.array_equal(
        activations(net, (x, y), sublabels=fine.numpy()).sublabels, activations(net, samples).sublabels
    )
    with pytest.raises(DataError, match="order of its own"):
        activations(net, DataLoader(TensorDataset(x, y), 7, shuffle=True), sublabels=fine)
    with pytest.raises(DataError, match="end before"):
        activations(net, loader, sublabels=fine[:-1])
    with pytest.raises(DataError, match="51 sublabels and 50 samples"):
        activations(net, loader, sublabels=[*fine, 0])
    with pytest.raises(DataError, match="twice"):
        activations(net, DataLoader(TensorDataset(x, y, fine), 7), sublabels=fine)
    assert activations(net, (x, y)).sublabels is None


def state_of(net):
    """All that must come back, by value and by place."""
    modules = list(net.modules())
    return {
        "modes": [module.training for module in modules],
        "attributes": [sorted(vars(module)) for module in modules],
        "hooks": [[*m._forward_hooks.values(), *m._forward_pre_hooks.values()] for m in modules],
        "tensors": [
            (id(t), t.data_ptr(), t.stride(), t.requires_grad) for t in net.state_dict(keep_vars=True).values()
        ],
        "values": [t.clone() for t in net.state_dict().values()],
        "gradients": [
            None if p.grad is None else (id(p.grad), p.grad.data_ptr(), p.grad.clone()) for p in net.parameters()
        ],
        "calls": net.calls, "last": id(net.last), "counter": float(net.counter),
        "torch": torch.get_rng_state(), "numpy": np.random.get_state()[1].copy(), "python": random.getstate(),
        "flags": (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.backends.cudnn.allow_tf32),
    }  # fmt: skip


def same(one, other):
    if isinstance(one, torch.Tensor | np.ndarray):
        return one.shape == other.shape and bool((one == other).all())
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return one == other


def noise():
    torch.rand(3), np.random.rand(), random.random()


class Breaks(nn.Module):
    def forward(self, x):
        if len(x) == COUNT % 8:
            raise RuntimeError("broken")
        return x


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("breaks", [False, True])
def test_the_model_and_every_random_state_come_back(breaks, precision, net, samples):
    hooked = []
    net.conv.register_forward_hook(lambda *_: hooked.append(1))
    net.add_module("breaks", Breaks())
    net.register_forward_pre_hook(lambda module, inputs: module.breaks(inputs[0]) if breaks else None)
    net.register_forward_pre_hook(lambda *_: noise())
    before = state_of(net)
    loader = DataLoader(TensorDataset(*samples), 8, shuffle=True)
    for given in (samples, loader):
        if breaks:
            with pytest.raises(CheckpointError, match="broken"):
                activations(net, given, how=Extraction(batch_size=8, precision=precision))
        else:
            activations(net, given, how=Extraction(precision=precision))
        after = state_of(net)
        for name in before:
            assert same(before[name], after[name]), name
    assert hooked, "the caller's hooks run"
    net(samples[0]).sum().backward()


def test_a_training_loop_with_looks_in_between_ends_with_the_same_weights(samples):
    def trained(look):
        torch.manual_seed(3)
        net = Net().train()
        optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
        loader = DataLoader(TensorDataset(*samples), 10, shuffle=True, generator=torch.Generator().manual_seed(5))
        for _ in range(3):
            for x, y, _ in loader:
                optimizer.zero_grad()
                F.cross_entropy(net(x), y).backward()
                optimizer.step()
            if look:
                activations(net, loader)
                activations(net, samples)
        return net.state_dict()

    plain, looked = trained(False), trained(True)
    assert all(torch.equal(plain[name], looked[name]) for name in plain)


def test_calls_globs_and_types_are_chosen(net, samples):
    net.head = nn.Sequential(nn.Linear(96, 5), nn.GELU(), nn.Linear(5, 4))
    everything = activations(net, samples, how=Extraction(sites=Sites(("relu", "gelu"))))
    assert [site.name for site in everything.sites] == ["relu", "head.1"]
    chosen = activations(net, samples, how=Extraction(sites=Sites(("relu", "gelu"), exclude=("relu",))))
    assert [site.name for site in chosen.sites] == ["head.1"]
    assert np.array_equal(chosen["head.1"], everything["head.1"])
    with pytest.raises(KeyError):
        chosen["relu"]
    assert repr(chosen) == "<Activations: 1 sites, 5 neurons, 50 samples>"


def test_the_key_is_of_weights_data_and_options_but_not_of_the_order(net, samples, tmp_path):
    def key(net, given, **options):
        path = activations(net, given, path=tmp_path / "a.h5", **options)
        with open_cache(path) as cache:
            return cache.content_key

    first = key(net, samples)
    assert key(net, DataLoader(TensorDataset(*samples), 3, shuffle=True)) == first
    x, y, fine = samples
    assert key(net, (x + 1, y, fine)) != first
    assert key(net, (x, y)) != first
    assert key(net, (x, y.roll(1), fine)) != first
    assert key(net, samples, name="other") != first
    assert key(net, samples, how=Extraction(store_dtype="float16")) != first
    with torch.no_grad():
        net.conv.bias.add_(1)
    assert key(net, samples) != first


def test_a_cache_is_measured_as_memory_is(net, samples, tmp_path):
    path = activations(net, samples, path=tmp_path / "a.h5")
    held = activations(net, samples)
    in_memory = measure(held).measures
    record = json.loads(icc("measure", path).stdout)
    assert record["measures"] == in_memory and record["checkpoint"] == "a"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([3], "a batch is a int"),
        ([torch.zeros(3, 2, 6, 6)], "a batch is a Tensor"),
        ([("a", torch.zeros(3, dtype=torch.int64))], "inputs of a batch are a str"),
        ([({"a": torch.zeros(3), "b": torch.zeros(2)}, torch.zeros(3, dtype=torch.int64))], "different numbers"),
        ([(torch.zeros(3, 2, 6, 6), torch.zeros(3))], "labels are float32"),
        ([(torch.zeros(3, 2, 6, 6), torch.zeros(2, dtype=torch.int64))], "expected \\(3,\\) integers"),
        ([(torch.zeros(3, 2, 6, 6), torch.tensor([0, -1, 2]))], "negative labels"),
        ([], "no sample"),
        (TensorDataset(torch.zeros(3, 2, 6, 6), torch.zeros(3)), "DataLoader"),
    ],
)
def test_what_is_no_batch_is_told(given, words, net):
    with pytest.raises(DataError, match=words):
        activations(net, given)


def test_labels_beyond_the_head_and_lazy_modules_are_refused(net, samples):
    x, y, _ = samples
    with pytest.raises(CheckpointError, match="4 outputs"):
        activations(net, (x, y + 4))
    with pytest.raises(CheckpointError, match="lazy"):
        activations(nn.Sequential(nn.Flatten(), nn.LazyLinear(3), nn.ReLU()), (x, y))


def test_the_package_and_what_holds_activations_import_no_torch():
    modules = ", ".join(f"icc_cli.extraction.{name}" for name in ("in_memory", "sinks", "how", "provenance"))
    program = f"import sys, {modules}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
