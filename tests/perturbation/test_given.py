"""`icc_cli.perturbation.given.sharpness`: the command's numbers, from a network that stays as it was."""

import copy
import json
import random

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset
from typer.testing import CliRunner

from icc_cli.cli import app
from icc_cli.data import DataSource, load
from icc_cli.errors import CheckpointError, DataError, UsageError
from icc_cli.models.spec import ModelSpec, build
from icc_cli.perturbation.given import sharpness
from tests.conftest import PER_CLASS
from tests.perturbation.test_command import QUICK, icc, records

SAME = {"target": "drop:.1", "tolerance": 0.3, "ascent_steps": 5, "max_samples": 30}


@pytest.fixture(scope="module")
def network(checkpoints):
    content = torch.load(checkpoints / "vgg-fast.pt", weights_only=True)
    model = build(ModelSpec(content["model"]["spec"], content["model"]["args"]))
    model.load_state_dict(content["state_dict"])
    return model


@pytest.fixture(scope="module")
def arrays():
    data = load(DataSource("digits", per_class=PER_CLASS))
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (data.mean, data.std))
    images = torch.from_numpy(data.train.images).permute(0, 3, 1, 2).float() / 255
    return ((images - mean) / std).contiguous(), torch.from_numpy(data.train.labels)


def test_values_are_the_commands(checkpoints, network, arrays):
    (record,) = records(icc("sharpness", checkpoints / "vgg-fast.pt", *QUICK))
    found = sharpness(network, arrays, **SAME)
    assert found.measures == record["measures"]
    assert found.clean == record["train_accuracy"]
    assert found["inv_sigma"] == found.estimates["inv_sigma"].inverse


def test_a_loader_gives_what_arrays_give_and_everything_stays_as_it_was(network, arrays):
    network.train()
    network[0].eval() if isinstance(network, torch.nn.Sequential) else next(network.children()).eval()
    modes = [module.training for module in network.modules()]
    before = copy.deepcopy(network.state_dict())
    loader = DataLoader(TensorDataset(*arrays), batch_size=7)
    states = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    options = {**SAME, "modes": ("random",)}
    with torch.no_grad():
        found = sharpness(network, loader, **options)
    assert found.estimates == sharpness(network, arrays, **options).estimates
    assert torch.equal(states[0], torch.get_rng_state())
    assert (states[1], states[2]) == (np.random.get_state()[1].tolist(), random.getstate())
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())


def test_what_makes_no_sense(network, arrays):
    for options in ({"target": "loss:1"}, {"modes": ("best",)}, {"modes": ()}, {"method": "fast"}, {"bn": "on"}):
        with pytest.raises(UsageError):
            sharpness(network, arrays, **options)
    with pytest.raises(DataError, match="no samples"):
        sharpness(network, [])
    with pytest.raises(CheckpointError, match="outputs"):
        sharpness(network, (arrays[0], arrays[1] + 5))


NETS = """
from torch import nn


def table():
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))


def tokens():
    return nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(24, 8), nn.ReLU(), nn.Linear(8, 3))


def data(name):
    import torch
    torch.manual_seed(1)
    x = torch.randn(40, 6) if name == "table" else torch.randint(0, 9, (40, 6))
    return x, torch.load("net.pt", weights_only=True)["labels"]


def table_data(): return data("table")
def tokens_data(): return data("tokens")
def two(): return {"inputs/a": data("table")[0], "inputs/b": data("table")[0], "labels": data("table")[1]}
"""


@pytest.mark.parametrize("name", ["table", "tokens"])
def test_inputs_that_are_no_images(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scope = {}
    exec(NETS, scope)
    torch.manual_seed(0)
    net = scope[name]().eval()
    torch.save({"labels": torch.zeros(40, dtype=torch.long)}, "net.pt")
    x, _ = scope[f"{name}_data"]()
    labels = net(x).argmax(1)
    torch.save({"state_dict": net.state_dict(), "labels": labels}, "net.pt")
    (tmp_path / "mine.py").write_text(NETS)
    options = ("--model", f"mine.py:{name}", "--data", f"mine.py:{name}_data", *QUICK)
    done = CliRunner().invoke(app, ["sharpness", "net.pt", *options])
    assert done.exit_code == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["measures"] == sharpness(net, (x, labels), **SAME).measures
    assert record["train_accuracy"]["eval"] == 1 and record["normalisation"] is None
    assert record["measures"]["inv_sigma"] > 0
    several = CliRunner().invoke(app, ["sharpness", "net.pt", "--model", f"mine.py:{name}", "--data", "mine.py:two"])
    assert several.exit_code == 2 and "several inputs, and this takes one" in several.stderr
