"""Many checkpoints of one network in one command: it is built once, and nothing of one gets into the next."""

import h5py
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from icc_cli.cli import app
from icc_cli.models import ModelSpec, build, infer

SPECS = {
    "wrn": ModelSpec("wrn", {"base_width": 4, "num_classes": 3}),
    "shufflenet": ModelSpec("torchvision:shufflenet_v2_x0_5", {"num_classes": 3}),
}
OWN = """
from torch import nn


class Net(nn.Sequential):
    made = 0

    def __init__(self):
        type(self).made += 1
        super().__init__(nn.Flatten(), nn.Linear(48, 5), nn.ReLU(), nn.Linear(5, 3))
        self.seen = []

    def forward(self, x):
        self.seen.append(len(x))
        return super().forward(x) + 0.25 * (self.made - 1)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(OWN)
    random = np.random.default_rng(0)
    np.savez("data.npz", images=random.integers(0, 256, (20, 16, 16, 3), dtype=np.uint8), labels=np.arange(20) % 3)
    np.savez("small.npz", images=random.integers(0, 256, (20, 4, 4, 3), dtype=np.uint8), labels=np.arange(20) % 3)
    return tmp_path


def saved(folder, spec):
    """a.pt to e.pt in `folder`: b has no counters, c holds NaN, d is of another width and e of the first."""
    folder.mkdir()
    for seed, name in enumerate("abcde"):
        torch.manual_seed(seed)
        wider = ModelSpec(spec.spec, {**spec.args, "num_classes": 4}) if name == "d" else spec
        state = build(wider).state_dict()
        for key, value in state.items():
            if key.endswith(("running_mean", "running_var")):
                value.uniform_(0.5, 1.5)
            if name == "c" and key.endswith("weight"):
                value.view(-1)[0] = float("nan")
        if name == "b":
            state = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
        torch.save(state, folder / f"{name}.pt")


def extract(*arguments, model, data="data.npz"):
    numbers = ("--mean", "0.5", "--std", "0.5")
    return CliRunner().invoke(app, ["extract", *arguments, "--model", model, "--data", f"npz:{data}", *numbers])


def content(path):
    """Everything in a cache but the time at which it was made."""
    with h5py.File(path) as file:
        found = {}
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
        return {**found, **{key: value for key, value in file.attrs.items() if key != "creation-date"}}


@pytest.mark.parametrize("name", SPECS)
def test_each_has_the_cache_that_it_has_alone(folder, monkeypatch, name):
    spec = SPECS[name]
    saved(folder / "ckpts", spec)
    model = (spec.spec, *(part for key, value in spec.args.items() if key != "num_classes"
                          for part in ("--model-arg", f"{key}={value}")))  # fmt: skip
    for one in "abde":
        done = extract(f"ckpts/{one}.pt", "-o", f"alone/{one}.h5", *model[1:], model=model[0])
        assert done.exit_code == 0, done.output
    calls = []
    monkeypatch.setattr(infer, "build", lambda spec, *held: calls.append(spec) or build(spec, *held))
    done = extract("ckpts", "-o", "acts", *model[1:], model=model[0])
    assert done.exit_code == 1 and "c.pt holds NaN" in done.stderr
    assert sorted(path.name for path in (folder / "acts").iterdir()) == ["a.h5", "b.h5", "d.h5", "e.h5"]
    once = len(calls)
    for one in "abde":
        alone, among = content(folder / "alone" / f"{one}.h5"), content(folder / "acts" / f"{one}.h5")
        assert alone.keys() == among.keys()
        assert all(np.array_equal(value, among[key]) for key, value in alone.items()), one
    calls.clear()
    assert extract("ckpts/a.pt", "ckpts/b.pt", "-o", "two", *model[1:], model=model[0]).exit_code == 0
    assert len(calls) in (1, 2) and once == 3 * len(calls), "a, b and c share one; d and e are each built again"


def test_a_network_of_the_users_own_code_is_built_for_each(folder):
    (folder / "ckpts").mkdir()
    for seed in range(3):
        torch.manual_seed(seed)
        layers = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
        torch.save(layers.state_dict(), f"ckpts/{seed}.pt")
    assert extract("ckpts", "-o", "acts", model="own.py:Net", data="small.npz").exit_code == 0
    for seed in range(3):
        state = torch.load(f"ckpts/{seed}.pt", weights_only=True)
        found = content(folder / "acts" / f"{seed}.h5")
        lift = found["logits"] - np.maximum(found["sites/000/preactivations"], 0) @ state["3.weight"].numpy().T
        np.testing.assert_allclose(lift - state["3.bias"].numpy(), 0.25 * seed, atol=1e-5)
