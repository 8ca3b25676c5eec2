"""What a user's file imports when it is used, not when it is run, is found beside it, and nobody else finds it."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from icc_cli.cli import app
from icc_cli.errors import UsageError
from icc_cli.loading import named, world_of
from icc_cli.models.spec import ModelSpec, build
from tests.loading.test_named import write

LATE = """
import sys
import torch
from torch import nn


class Net(nn.Module):
    '''Each of its calls imports a sibling for the first time.'''

    def __init__(self):
        super().__init__()
        self.fc1, self.fc = nn.Linear(6, 5), nn.Linear(5, 3)
        self.fc1.register_forward_hook(lambda module, inputs, output: __import__("in_hook").more(output))
        self.register_load_state_dict_pre_hook(lambda *_: __import__("in_load"))

    def forward(self, x):
        from shared_name import twice
        assert not sys.argv[1:]
        print("forward")
        return self.fc(torch.relu(twice(self.fc1(x))))


net = Net()
"""
DATA = """
import torch


class Data(torch.utils.data.Dataset):
    def __len__(self):
        return 12

    def __getitem__(self, i):
        from shared_name import sample
        return sample(i), i % 3


def late():
    return Data()[1]
"""
MEASURE = """
import icc_cli


def scores(view):
    from shared_name import mean
    return mean(view.array())


MEAN = icc_cli.Measure("mean", scores, over="neurons")
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Networks of two folders, and the data and a measure of two more, all with siblings of one name."""
    monkeypatch.chdir(tmp_path)
    for name, factor in (("a", 2.0), ("b", -3.0)):
        siblings = {"shared_name": f"def twice(x): return {factor} * x", "in_hook": "def more(x): return x + 1"}
        write(tmp_path / name, model=LATE, in_load="", **siblings)
    write(tmp_path / "d", data=DATA, shared_name="import torch\ndef sample(i): return torch.arange(6.) * (i % 3) - i")
    write(tmp_path / "m", mine=MEASURE, shared_name="def mean(x): return x.mean(axis=0)")
    torch.manual_seed(0)
    layers = torch.nn.ModuleDict({"fc1": torch.nn.Linear(6, 5), "fc": torch.nn.Linear(5, 3)})
    torch.save(layers.state_dict(), "net.pt")
    before = list(sys.path), list(sys.argv), Path.cwd(), sys.stdout
    yield tmp_path
    assert (list(sys.path), list(sys.argv), Path.cwd(), sys.stdout) == before


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


def expected(factor):
    state = torch.load("net.pt", weights_only=True)
    x = torch.stack([torch.arange(6.0) * (i % 3) - i for i in range(12)])
    return (factor * (torch.nn.functional.linear(x, state["fc1.weight"], state["fc1.bias"]) + 1)).mean(0).numpy()


@pytest.mark.parametrize(("name", "memory"), [("Net", 2**30), ("net", 0)])
def test_while_the_network_runs(name, memory, folder, monkeypatch):
    monkeypatch.setattr("icc_cli.data.torch_sets.free_memory", lambda: memory)  # without it, samples are read later
    for net, factor in (("a", 2), ("b", -3), ("a", 2)):
        model = ("--model", f"{net}/model.py:{name}", "--data", "d/data.py:Data")
        done = run("extract", "net.pt", *model, "-o", f"{net}.h5", "--force")
        assert done.exit_code == 0 and done.stdout == f"{net}.h5\n" and "forward" in done.stderr
        measured = run("measure", f"{net}.h5", "--measure", "m/mine.py:MEAN", "--k", 5)
        (found,) = (json.loads(line)["measures"]["mean"] for line in measured.stdout.splitlines())
        assert np.isclose(found, expected(factor).mean(), rtol=1e-5)
        seen = run("inspect", "net.pt", "--model", f"{net}/model.py:{name}", "--image", "6")
        assert json.loads(seen.stdout)["neurons"] == 5


def test_sharpness(folder):
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (12, 1, 2, 3)).astype("uint8"), np.arange(12) % 3
    np.savez("data.npz", images=images, labels=labels)
    for net in "ab":
        path = folder / net / "model.py"
        path.write_text(path.read_text().replace("self.fc1(x)", "self.fc1(x.flatten(1))"))
    options = ("--data", "npz:data.npz", "--mean", 0.5, "--std", 0.5, "--target", "accuracy:0.01", "--tolerance", 1)
    values = []
    for net in "ab":
        done = run("sharpness", "net.pt", "--model", f"{net}/model.py:Net", *options, "--ascent-steps", 5)
        assert done.exit_code == 0, done.stderr
        values.append(json.loads(done.stdout)["train_accuracy"])
    assert values[0] != values[1]


def test_in_processes_of_their_own(folder):
    torch.save(torch.load("net.pt", weights_only=True), "other.pt")
    options = ("--model", "a/model.py:Net", "--data", "d/data.py:Data", "-o", "out", "--jobs", 2)
    assert run("extract", "net.pt", "other.pt", *options).exit_code == 0


def test_one_program_inside_another(folder):
    outer = named("a/model.py:Net", "model")
    inner = named("d/data.py:late", "data set")
    with outer.world.entered():
        import shared_name

        assert shared_name.twice(1) == 2.0
        for _ in range(2):
            assert inner.call()[1] == 1
            assert sys.modules["shared_name"] is shared_name and sys.path[0] == str(folder / "a")
        import in_hook
    with inner.world.entered(), pytest.raises(ImportError):
        import in_load  # noqa: F401
    with named("b/model.py:Net", "model").world.entered():
        assert sys.modules.get("in_hook") is not in_hook
        with outer.world.entered():
            assert sys.modules["in_hook"] is in_hook


def test_what_a_program_adds_to_its_path_stays_its_own(tmp_path):
    source = "import os, sys\nsys.path.{}\nos.chdir('/')\ndef late():\n    import far\n    return far.value"
    for how in ("append({!r})", "insert(0, {!r})"):
        write(tmp_path / how[:6], model=source.format(how.format(str(tmp_path / how[:6] / "lib"))))
        write(tmp_path / how[:6] / "lib", far=f"value = {how!r}")
        before = list(sys.path), Path.cwd()
        late = named(f"{tmp_path}/{how[:6]}/model.py:late", "model")
        assert late.call() == how and (list(sys.path), Path.cwd()) == before


def test_a_network_that_ends_python(folder):
    source = "import sys\nfrom model import Net\nclass Ends(Net):\n    def forward(self, x): sys.exit(3)"
    write(folder / "a", ends=source)
    done = run("extract", "net.pt", "--model", "a/ends.py:Ends", "--data", "d/data.py:Data")
    assert done.exit_code == 3 and "cannot take inputs" in done.stderr
    (folder / "a" / "in_load.py").unlink()
    done = run("extract", "net.pt", "--model", "a/model.py:Net", "--data", "d/data.py:Data")
    assert done.exit_code == 3 and "does not load into the model a/model.py:Net: No module" in done.stderr
    write(folder, factory="import sys\ndef make(): sys.exit(3)")
    with pytest.raises(UsageError, match=r"factory.py ends Python \(exit 3\)"):
        build(ModelSpec(f"{folder}/factory.py:make"))


def test_a_network_of_nobodys_has_no_world():
    path = list(sys.path)
    with world_of(torch.nn.Linear(1, 1)):
        assert sys.path == path
