"""`icc extract` and `icc inspect` of networks that are no image classifiers: axes by hand, inputs, refusals."""

import json

import h5py
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from icc_cli.cli import app

NETS = """
import torch
from torch import nn


class Bare(nn.Module):
    '''Its activation function is called on the bare input, (samples, 5, 6).'''

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(5, 3)

    def forward(self, x):
        return self.head(torch.relu(x).mean(2))


class Random(Bare):
    def forward(self, x):
        return self.head(torch.relu((x + torch.randn_like(x)).mean(2)))


def lazy():
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(3))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(NETS)
    random = np.random.default_rng(0)
    arrays = {"inputs": random.normal(size=(20, 5, 6)).astype("float32"), "labels": np.arange(20) % 3}
    np.savez("data.npz", **arrays, **{f"test_{name}": array for name, array in arrays.items()})
    torch.manual_seed(0)
    torch.save(torch.nn.Linear(5, 3).state_dict(), "head.pt")
    state = torch.load("head.pt", weights_only=True)
    torch.save({f"head.{name}": tensor for name, tensor in state.items()}, "net.pt")
    return tmp_path


def run(*arguments, model="nets.py:Bare"):
    data = ("--data", "npz:data.npz", "-o", "a.h5") if arguments[0] == "extract" else ()
    return CliRunner().invoke(app, [*arguments, "--model", model, *data])


def test_an_axis_that_no_layer_says_is_asked_for_and_taken(folder):
    refused = run("extract", "net.pt")
    assert refused.exit_code == 3 and "--neuron-axis 'relu=1'" in refused.stderr
    keys = []
    for axis, neurons in ((1, 5), (-1, 6)):
        assert run("extract", "net.pt", "--neuron-axis", f"re*={axis}").exit_code == 0
        with h5py.File("a.h5") as cache:
            inputs, rows = np.load("data.npz")["inputs"], cache["sample_id"][()]
            values = cache["sites/000/preactivations"][()]
            keys.append(cache.attrs["content-key"])
            assert json.loads(cache.attrs["metadata"])["normalisation"] is None
        assert values.shape == (20, neurons)
        assert np.array_equal(values, inputs[rows].max(axis=2 if axis == 1 else 1))
    assert keys[0] != keys[1]
    shown = json.loads(run("inspect", "net.pt", "--image", "5,6", "--neuron-axis", "relu=1").stdout)
    assert (shown["sites"][0]["axis"], shown["sites"][0]["because"]) == ("1 of (samples, 5, 6)", "--neuron-axis")
    assert run("extract", "net.pt", "--neuron-axis", "relu").exit_code == 2


def test_a_random_network_is_said_and_gives_the_same_twice(folder):
    values = []
    for _ in range(2):
        done = run("extract", "net.pt", "--force", model="nets.py:Random")
        assert done.exit_code == 0 and "warning: the model is random" in done.stderr
        with h5py.File("a.h5") as cache:
            values.append(cache["sites/000/preactivations"][()])
            assert "is random" in json.loads(cache.attrs["metadata"])["warnings"][0]
    assert np.array_equal(*values)


def test_lazy_layers_take_their_shapes_from_the_weights(folder):
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(30, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3))
    torch.save(net.state_dict(), "net.pt")
    assert run("extract", "net.pt", model="nets.py:lazy").exit_code == 0
    inputs = torch.from_numpy(np.load("data.npz")["inputs"])
    with h5py.File("a.h5") as cache, torch.no_grad():
        assert np.array_equal(cache["predictions/class"][()], net(inputs).argmax(1).numpy()[cache["sample_id"][()]])


def test_inputs_have_no_normalisation_and_a_file_names_no_code(folder):
    done = run("extract", "net.pt", "--mean", "0.5", "--std", "0.5", "--neuron-axis", "*=1")
    assert done.exit_code == 2 and "taken as they are" in done.stderr
    state = torch.load("net.pt", weights_only=True)
    content = {"format": "icc-checkpoint", "version": 1, "state_dict": state, "model": {"spec": "wrn", "args": {}}}
    torch.save({**content, "data": {"spec": "data.py:make"}, "hparams": {}, "metrics": {}, "epoch": 1}, "net.pt")
    (folder / "data.py").write_text("open('ran', 'w').close()")
    done = CliRunner().invoke(app, ["extract", "net.pt", "--model", "nets.py:Bare"])
    assert done.exit_code == 2 and "--data data.py:make" in done.stderr and not (folder / "ran").exists()


def test_the_first_test_samples_of_each_class(folder):
    assert run("extract", "net.pt", "--neuron-axis", "*=1", "--test-per-class", "2").exit_code == 0
    with h5py.File("a.h5") as cache:
        metadata = json.loads(cache.attrs["metadata"])
    assert metadata["data"]["test_per_class"] == 2
    assert round(6 * metadata["measured"]["test_accuracy"], 9) % 1 == 0
