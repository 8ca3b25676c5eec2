"""Checkpoints in parts with an index, as Hugging Face's libraries write them: one checkpoint, the whole one's twin."""

import json

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from icc_cli.checkpoints import read
from icc_cli.cli import app
from icc_cli.cli._inputs import expand
from icc_cli.errors import CheckpointError
from icc_cli.folders import CHECKPOINT_SUFFIXES

STATE = {f"{name}.weight": torch.full((2, 3), float(place)) for place, name in enumerate("abcde")}


def write_parts(folder, kind="safetensors", stem="model", count=2):
    """STATE in `count` parts; gives the index's path."""
    folder.mkdir(parents=True, exist_ok=True)
    where = {}
    for number in range(count):
        file = f"{stem}-{number + 1:05}-of-{count:05}.{kind}"
        part = {name: STATE[name] for name in list(STATE)[number::count]}
        save_file(part, folder / file) if kind == "safetensors" else torch.save(part, folder / file)
        where |= dict.fromkeys(part, file)
    index = folder / f"{stem}.{kind}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": where}))
    (folder / "config.json").write_text('{"architectures": ["Net"]}')
    torch.save({"lr": 0.1}, folder / "optimizer.pt")
    return index


def found_in(*arguments):
    return [(item.path.name, item.name.as_posix()) for item in expand(list(map(str, arguments)), CHECKPOINT_SUFFIXES)]


@pytest.mark.parametrize(("kind", "stem"), [("safetensors", "model"), ("bin", "pytorch_model"), ("pt", "x.fp16")])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_parts_are_joined(kind, stem, count, tmp_path):
    index = write_parts(tmp_path / "net", kind, stem, count)
    save_file(STATE, tmp_path / "whole.safetensors")
    whole = read(tmp_path / "whole.safetensors")
    for path in (index, index.parent):
        found = read(path)
        assert found.weights_sha256 == whole.weights_sha256 and found.name == f"{stem}.{kind}"
        assert all(torch.equal(found.state[name], value) for name, value in STATE.items())


def test_parts_are_one_input(tmp_path):
    write_parts(tmp_path / "a")
    index = write_parts(tmp_path / "b", "bin", "pytorch_model", 3)
    save_file(STATE, tmp_path / "whole.safetensors")
    assert found_in(tmp_path) == [
        ("model.safetensors.index.json", "a/model.safetensors"),
        ("pytorch_model.bin.index.json", "b/pytorch_model.bin"),
        ("whole.safetensors", "whole.safetensors"),
    ]
    assert found_in(index) == [("pytorch_model.bin.index.json", "pytorch_model.bin")]
    variant = index.rename(index.with_name("pytorch_model.bin.index.fp16.json"))
    assert found_in(index.parent) == [(variant.name, "pytorch_model.bin")]
    save_file(STATE, tmp_path / "a" / "model.safetensors")
    both = ["model.safetensors", "model.safetensors.index.json"]
    assert [name for name, _ in found_in(tmp_path / "a")] == both


def test_through_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    index = write_parts(tmp_path / "net")
    shown = [json.loads(CliRunner().invoke(app, ["inspect", str(path)]).stdout) for path in (index, "net")]
    assert [facts["tensors"] for facts in shown] == [5, 5]
    assert shown[0]["weights_sha256"] == shown[1]["weights_sha256"]
    (tmp_path / "net.py").write_text(
        "from torch import nn\ndef net():\n    named = {n: nn.Linear(3, 2, bias=False) for n in 'abcde'}\n"
        "    class Net(nn.ModuleDict):\n        def forward(self, x):\n            return self['a'](x.relu())\n"
        "    return Net(named)\n"
    )
    (tmp_path / "data.py").write_text(
        "import numpy as np\ndef make():\n    return {'inputs': np.ones((4, 3), 'f4'), 'labels': np.arange(4) % 2}\n"
    )
    options = ("--model", "net.py:net", "--data", "data.py:make", "--neuron-axis", "*=1")
    done = CliRunner().invoke(app, ["extract", "net", *options])
    assert done.exit_code == 0 and done.stdout == "model.h5\n", done.stderr


def test_a_folder_with_one_checkpoint_is_that(tmp_path):
    save_file(STATE, tmp_path / "model.safetensors")
    torch.save({"lr": 0.1}, tmp_path / "optimizer.pt")
    assert read(tmp_path).name == "model.safetensors"
    torch.save(STATE, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match="folder of several checkpoints") as caught:
        read(tmp_path)
    assert [*caught.value.details] == ["model.safetensors", "other.pt"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="folder without a checkpoint"):
        read(tmp_path / "empty")


def test_torch_distributed_is_named_among_others(tmp_path):
    save_file(STATE, tmp_path / "a.safetensors")
    (tmp_path / "dcp").mkdir()
    for name in (".metadata", "__0_0.distcp"):
        (tmp_path / "dcp" / name).write_bytes(b"x")
    assert found_in(tmp_path) == [("a.safetensors", "a.safetensors"), ("dcp", "dcp")]
    assert found_in(tmp_path / "dcp") == [("dcp", "dcp")]
    with pytest.raises(CheckpointError, match=r"torch.distributed, in parts. Join them: .*dcp_to_torch"):
        read(tmp_path / "dcp")


def broken(folder, how):
    index = write_parts(folder)
    table = json.loads(index.read_text())
    if how == "cut":
        index.write_text(index.read_text()[:-5])
    elif how == "no map":
        index.write_text("{}")
    elif how == "no files":
        index.write_text('{"weight_map": {"a": 1}}')
    elif how == "another folder":
        table["weight_map"]["a.weight"] = "../secret.safetensors"
        index.write_text(json.dumps(table))
    elif how == "a long name":
        table["weight_map"]["a.weight"] = "x" * 300
        index.write_text(json.dumps(table))
    elif how == "part missing":
        (folder / "model-00002-of-00002.safetensors").unlink()
    elif how == "tensor missing":
        table["weight_map"]["f.weight"] = "model-00002-of-00002.safetensors"
        index.write_text(json.dumps(table))
    elif how == "part damaged":
        (folder / "model-00002-of-00002.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    elif how == "part of another kind":
        torch.save([1, 2], folder / "model-00002-of-00002.safetensors")
    return index


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("cut", "is not JSON"),
        ("no map", "weight_map is missing"),
        ("no files", "expected text"),
        ("another folder", "which is not in its folder"),
        ("a long name", r"index.json names .*, which is not in its folder"),
        ("part missing", "names model-00002-of-00002.safetensors, which is missing"),
        ("tensor missing", "1 tensors are not in the parts"),
        ("part damaged", "model-00002-of-00002.safetensors is a Git LFS pointer"),
        ("part of another kind", "model-00002-of-00002.safetensors holds no tensors by name"),
    ],
)
def test_what_is_wrong_with_the_parts_is_told(how, words, tmp_path):
    index = broken(tmp_path, how)
    with pytest.raises(CheckpointError, match=words):
        read(index)
    assert index.name in [name for name, _ in found_in(tmp_path)]


def test_one_part_alone_is_not_taken_for_the_network(tmp_path):
    index = write_parts(tmp_path)
    with pytest.raises(CheckpointError, match=r"is one of the 2 parts of a checkpoint. Name .*index.json"):
        read(tmp_path / "model-00001-of-00002.safetensors")
    index.unlink()
    assert len(read(tmp_path / "model-00001-of-00002.safetensors").state) == 3
    write_parts(tmp_path / "one", count=1)
    assert len(read(tmp_path / "one" / "model-00001-of-00001.safetensors").state) == 5
