"""`icc extract --with-test`: the test split beside the training split, in one cache."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from icc_cli import measure
from icc_cli.cache import open_cache
from icc_cli.cli import app
from icc_cli.errors import FormatError

NET = """
from torch import nn

def net():
    return nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 4), nn.ReLU(), nn.Linear(4, 3))
"""
TRAIN, TEST = 30, 14


@pytest.fixture
def network(tmp_path, monkeypatch):
    """Run in a folder with a checkpoint, `net.py` and `data.npz`; the network, with its weights."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NET)
    random = np.random.default_rng(0)
    arrays = {}
    for prefix, count in (("", TRAIN), ("test_", TEST)):
        arrays[f"{prefix}inputs"] = random.normal(size=(count, 5)).astype("float32")
        arrays[f"{prefix}labels"] = random.permutation(count) % 3
        arrays[f"{prefix}sublabels"] = arrays[f"{prefix}labels"] * 2 + random.permutation(count) % 2
    np.savez("data.npz", **arrays)
    np.savez("train.npz", **{name: array for name, array in arrays.items() if not name.startswith("test_")})
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 4), nn.ReLU(), nn.Linear(4, 3))
    torch.save(network.state_dict(), "net.pt")
    return network


def extract(*options, data="data.npz"):
    arguments = ["extract", "net.pt", "--model", "net.py:net", "--data", f"npz:{data}", *options]
    return CliRunner().invoke(app, arguments)


def test_the_test_split_is_what_the_network_computes_on_it(network):
    assert extract("--with-test", "-o", "both.h5").exit_code == 0
    given = np.load("data.npz")
    inputs, labels, sublabels = (given[f"test_{name}"] for name in ("inputs", "labels", "sublabels"))
    order = sorted(range(TEST), key=lambda row: (labels[row], sublabels[row], row))
    with torch.no_grad():
        steps = [torch.from_numpy(inputs[order])]
        for layer in network:
            steps.append(layer(steps[-1]))
    with open_cache(Path("both.h5"), "test") as cache:
        assert cache.sample_id.tolist() == order and cache.labels.tolist() == labels[order].tolist()
        values = [site.rows(0, TEST) for site in cache.sites]
        assert [site.name for site in cache.sites] == ["1", "3"]
        expected = [steps[1], steps[3], steps[4], steps[5]]
        tables = [*values, cache.head.inputs.rows(0, TEST), cache.logits.rows(0, TEST)]
        for found, wanted in zip(tables, expected, strict=True):
            assert np.allclose(found, wanted.numpy(), rtol=1e-6, atol=1e-7)
        assert np.array_equal(cache.head.weight, network[4].weight.detach().numpy())
        assert np.array_equal(cache.predictions, steps[5].numpy().argmax(axis=1))
        accuracy = float(np.mean(cache.predictions == cache.labels))
        assert cache.metadata["metrics"]["test_accuracy"] == accuracy
        coarse = {name: values[i].astype(float) for i, name in enumerate(("1", "3"))}
        assert measure(cache, measures="c3", k=3)["c3"] == measure(coarse, cache.labels, measures="c3", k=3)["c3"]


def test_the_training_split_is_as_without(network):
    assert extract("-o", "train.h5").exit_code == 0 and extract("--with-test", "-o", "both.h5").exit_code == 0
    with h5py.File("train.h5") as alone, h5py.File("both.h5") as both:
        names = []
        alone.visititems(lambda name, found: names.append(name) if isinstance(found, h5py.Dataset) else None)
        assert len(names) == 10 and "test" not in alone
        for name in names:
            assert np.array_equal(alone[name], both[name]), name
        assert alone.attrs["content-key"] != both.attrs["content-key"]
        metrics = [json.loads(file.attrs["metadata"])["metrics"] for file in (alone, both)]
    assert metrics[0] == metrics[1]
    assert measure("train.h5", measures="all", k=3).measures == measure("both.h5", measures="all", k=3).measures
    shown = json.loads(CliRunner().invoke(app, ["inspect", "both.h5"]).stdout)
    assert (shown["samples"], shown["test samples"]) == (TRAIN, TEST)


def test_a_cache_without_it_says_so(network):
    assert extract("-o", "train.h5").exit_code == 0
    with pytest.raises(FormatError, match="no test split"), open_cache(Path("train.h5"), "test"):
        pass


def test_data_without_a_test_split_is_refused(network):
    done = extract("--with-test", "-o", "a.h5", data="train.npz")
    assert done.exit_code == 2 and "no test split" in done.stderr


def test_a_test_split_that_was_not_written_is_refused(network):
    assert extract("--with-test", "-o", "both.h5").exit_code == 0
    with h5py.File("both.h5", "r+") as file:
        del file["test/predictions/class"]
    with pytest.raises(FormatError, match="test/predictions"), open_cache(Path("both.h5"), "test"):
        pass
