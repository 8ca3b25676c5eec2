"""One folder, many architectures: which model each checkpoint is of, by a table or by its name."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from icc_cli import records
from icc_cli.cli import app
from icc_cli.errors import UsageError
from icc_cli.naming import filled, read_map

NETS = """
from torch import nn

def net(width=4, depth=1):
    hidden = [part for _ in range(depth) for part in (nn.LazyLinear(width), nn.ReLU())]
    return nn.Sequential(nn.Flatten(), *hidden, nn.LazyLinear(2))

def small(): return net(3)
def large(): return net(9)
def deep(): return net(4, 2)
def bent(): return nn.Sequential(nn.Flatten(), nn.Linear(16, 5), nn.ReLU(), nn.Linear(5, 2))
"""
FACTORIES = ("small", "large", "deep", "bent")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A stranger's: four factories in one file, their state dicts in a folder and one below it, and arrays."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(NETS)
    scope = {}
    exec(NETS, scope)
    random = np.random.default_rng(0)
    images = random.integers(0, 255, (24, 4, 4), np.uint8)
    np.savez(tmp_path / "d.npz", images=images, labels=np.arange(24) % 2, sublabels=np.arange(24) % 4)
    (tmp_path / "ckpts" / "more").mkdir(parents=True)
    torch.manual_seed(0)
    for place, name in enumerate(FACTORIES):
        network = scope[name]()
        network(torch.zeros(1, 1, 4, 4))
        torch.save(network.state_dict(), tmp_path / "ckpts" / ("more" if place == 3 else "") / f"{name}_s1.pt")
    return tmp_path


def icc(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


DATA = ("--data", "npz:d.npz", "--mean", "0.5", "--std", "0.25")


def test_four_factories_in_one_command_are_one_set(folder):
    (folder / "map.csv").write_text(
        "checkpoint,model,width,depth\nsmall*,nets.py:net,3,\nlarge*,nets.py:net,9,1\n"
        "deep_s?.pt,nets.py:net,,2\nmore/*.pt,nets.py:bent,,\n"
    )
    done = icc("extract", "ckpts", "-o", "acts", "--models", "map.csv", *DATA)
    assert done.exit_code == 0, done.output
    assert icc("measure", "acts", "-o", "results").exit_code == 0
    found = {one.checkpoint: one for path in sorted((folder / "results").rglob("*.json")) for one in records.read(path)}
    hparams = {name: dict(one.hparams) for name, one in found.items()}
    assert hparams == {
        "deep_s1.pt": {"depth": 2},
        "large_s1.pt": {"width": 9, "depth": 1},
        "more/bent_s1.pt": {},
        "small_s1.pt": {"width": 3},
    }
    assert {one.model["spec"] for one in found.values()} == {"nets.py:net", "nets.py:bent"}
    order = icc("rank", "results", "--checkpoints")
    assert order.exit_code == 0 and len(order.stdout.splitlines()) == 4
    (folder / "runs.csv").write_text(
        "checkpoint,test_accuracy\n" + "".join(f"{n},0.{i}\n" for i, n in enumerate(found, 1))
    )
    ranked = icc("rank", "results", "--no-controls", "--runs", "runs.csv")
    assert ranked.exit_code == 0 and "set" not in json.loads(ranked.stdout.splitlines()[0]), ranked.output
    again = icc("extract", "ckpts", "-o", "acts", "--models", "map.csv", *DATA)
    assert again.stderr.count("is up to date") == 4


def test_sharpness_takes_the_table_too(folder):
    (folder / "map.csv").write_text("checkpoint,model\n" + "".join(f"{one}*,nets.py:{one}\n" for one in FACTORIES))
    quick = ("--mode", "random", "--target", "drop:0.2", "--tolerance", "1")
    done = icc("sharpness", "ckpts", "--models", "map.csv", *quick, *DATA)
    assert done.exit_code == 0, done.output
    specs = {json.loads(line)["model"]["spec"] for line in done.stdout.splitlines()}
    assert specs == {f"nets.py:{name}" for name in FACTORIES}
    with (folder / "map.csv").open("a") as table:
        table.write("huge*,nets.py:net\n")
    done = icc("sharpness", "ckpts", "--models", "map.csv", *quick, *DATA)
    assert done.exit_code == 2 and "line 6: no checkpoint matches huge*" in done.stderr and done.stdout == ""


def test_the_name_says_the_model(folder):
    done = icc("extract", "ckpts", "-o", "acts", "--model", "nets.py:{re:([a-z]+)_s}", *DATA)
    assert done.exit_code == 0, done.output
    said = icc(
        "inspect", "ckpts/small_s1.pt", "--model", "nets.py:{re:small|large}", "--image", "1,4,4", "--format", "json"
    )
    assert json.loads(said.stdout)["model"]["spec"] == "nets.py:small"
    (folder / "one").mkdir()
    (folder / "ckpts" / "large_s1.pt").rename(folder / "one" / "width9.pt")
    argument = ("--model-arg", "width={re:width(\\d{1,2})}")
    done = icc("extract", "one", "-o", "two", "--model", "nets.py:net", *argument, *DATA)
    assert done.exit_code == 0, done.output
    (record,) = map(json.loads, icc("measure", "two").stdout.splitlines())
    assert record["hparams"] == {"width": 9} and record["model"]["args"] == {"width": 9}


def test_what_the_checkpoint_says_of_a_hyperparameter_stands(folder):
    state = torch.load(folder / "ckpts" / "large_s1.pt")
    (folder / "own").mkdir()
    torch.save({"state_dict": state, "hparams": {"width": "wide", "lr": 0.1}}, folder / "own" / "a.pt")
    done = icc("extract", "own", "-o", "o", "--model", "nets.py:net", "--model-arg", "width=9", *DATA)
    assert done.exit_code == 0, done.output
    (record,) = map(json.loads, icc("measure", "o").stdout.splitlines())
    assert record["hparams"] == {"width": "wide", "lr": 0.1}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("checkpoint,model\nsmall*,nets.py:small\nlarge*,nets.py:large\n", "no line of map.csv is of deep_s1.pt"),
        (
            "checkpoint,model\n*,nets.py:net\n*_s1.pt,nets.py:net\n",
            "line 2 (*) and line 3 (*_s1.pt) are both of deep_s1.pt",
        ),
        ("checkpoint,model\n*_s1.pt,nets.py:net\nhuge*,nets.py:net\n", "map.csv line 3: no checkpoint matches huge*"),
        ("checkpoint,model\n\n*_s1.pt,nets.py:net,3\n", "line 3 has 3 cells, and the header has 2"),
        ("checkpoint,factory\n*,nets.py:net\n", "no column 'model'"),
        ("model,path\nnets.py:net,*\n", "no column 'checkpoint'"),
        ("checkpoint,model\n*,\n", "line 2 has no model"),
        ("checkpoint,model,batch size\n*,nets.py:net,3\n", "'batch size', which names no argument"),
        ("checkpoint,model,width,width\n*,nets.py:net,3,3\n", "'width', which names no argument or one twice"),
        ("checkpoint,model\n", "a header and no line"),
        ("", "is empty"),
    ],
)
def test_a_table_that_does_not_fit_is_said_before_anything_is_run(folder, table, words):
    (folder / "map.csv").write_text(table)
    done = icc("extract", "ckpts", "-o", "acts", "--models", "map.csv", *DATA)
    assert done.exit_code == 2 and words in done.stderr, done.output
    assert not (folder / "acts").exists() and done.stdout == ""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--models", "map.csv", "--model", "vgg"), "--models names every model"),
        (("--model-arg", "width=3"), "Name the model with --model"),
        (("--models", "absent.csv"), "no file absent.csv"),
        (("--model", "nets.py:{re:[}"), "not a regular expression"),
        (("--model", "nets.py:{re:xyz}"), "finds nothing in the name"),
        (("--model", "nets.py:{re:x"), "not closed"),
    ],
)
def test_options_that_do_not_go(folder, options, words):
    (folder / "map.csv").write_text("checkpoint,model\n*,vgg\n")
    done = icc("extract", "ckpts/small_s1.pt", "-o", "acts", *options, *DATA)
    assert done.exit_code == 2 and words in done.stderr, done.output


def test_what_a_pattern_takes_from_a_name():
    assert filled("nets.py:{stem}", "a/b/resnet20.v2.pt") == "nets.py:resnet20.v2"
    assert filled("{re:d(\\d+)}-{re:[a-z]+(?=/)}", "grid/d18.pt") == "18-grid"
    assert filled("wrn:depth={re:x(\\d{2})}", "x285.pt") == "wrn:depth=28"
    assert filled('cfg={"a": 1}', "x.pt") == 'cfg={"a": 1}'


def test_semicolons_and_a_byte_order_mark(tmp_path):
    (tmp_path / "m.csv").write_bytes("\ufeffcheckpoint;model;n\n*.pt; a.py:f ;3\n".encode())
    (line,) = read_map(tmp_path / "m.csv").lines
    assert (line.number, line.model, line.arguments) == (2, "a.py:f", ("n=3",))
    with pytest.raises(UsageError, match="no line"):
        read_map(tmp_path / "m.csv").line("x.ckpt")
