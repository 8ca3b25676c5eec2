"""The same file name in every run's folder: inputs are told apart, no output of another checkpoint is overwritten."""

import errno
import io
import json
import os
import shutil
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from icc_cli.cache import open_cache
from icc_cli.cli import app
from icc_cli.cli._inputs import expand
from icc_cli.cli._outputs import Outputs
from icc_cli.cli._run import sharded
from icc_cli.files import is_file, is_folder
from icc_cli.folders import CHECKPOINT_SUFFIXES
from tests.conftest import icc


def tree(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def names(*arguments, notes=None):
    note = notes.append if notes is not None else lambda text: None
    return [item.name.as_posix() for item in expand(list(map(str, arguments)), CHECKPOINT_SUFFIXES, note)]


def test_names_keep_as_much_of_the_path_as_makes_them_different(tmp_path):
    tree(tmp_path, "r/a/best.pt", "r/a/last.pt", "r/b/best.pt", "q/a/ck/best.pt", "q/b/ck/best.pt")
    r, q = tmp_path / "r", tmp_path / "q"
    assert names(r / "a") == ["best.pt", "last.pt"]
    assert names(r) == ["a/best.pt", "a/last.pt", "b/best.pt"]
    assert names(r / "a", r / "b") == ["a/best.pt", "a/last.pt", "b/best.pt"]
    assert names(r / "a/best.pt", r / "b/best.pt") == ["a/best.pt", "b/best.pt"]
    assert names(r / "a/best.pt", r / "a/last.pt") == ["best.pt", "last.pt"]
    assert names(q / "a/ck", q / "b/ck") == ["a/ck/best.pt", "b/ck/best.pt"]
    assert names(r / "a", q / "a") == ["best.pt", "last.pt", "ck/best.pt"]
    assert names(r, q) == ["a/best.pt", "a/last.pt", "b/best.pt", "a/ck/best.pt", "b/ck/best.pt"]
    assert names(r / "a", r / "a") == ["best.pt", "last.pt"]


def test_names_of_paths_on_standard_input(tmp_path, monkeypatch):
    tree(tmp_path, "a/best.pt", "b/best.pt", "c/best.pt")
    lines = "".join(f"{tmp_path}/{name}/best.pt\n" for name in "aba")
    monkeypatch.setattr(sys, "stdin", given(lines))
    assert names("-") == ["best.pt", "b/best.pt", "best.pt"]
    monkeypatch.setattr(sys, "stdin", given(lines))
    assert names(tmp_path / "c", "-") == ["best.pt", "a/best.pt", "b/best.pt", "a/best.pt"]


def given(text):
    """Standard input that holds a text."""
    return io.TextIOWrapper(io.BytesIO(text.encode()))


def outputs(*arguments):
    target = Outputs(Path("acts"), ".h5")
    found = expand(list(map(str, arguments)), CHECKPOINT_SUFFIXES)
    return [target.path(item).relative_to("acts").as_posix() for item in found]


def test_outputs_keep_the_suffix_where_it_alone_tells_inputs_apart(tmp_path, monkeypatch):
    tree(tmp_path, "r/a.pt", "r/net.pt", "r/net.pth", "r/net.pth.tar", "s/net.ckpt", "s/net", "s/net.x.pt")
    r, s = tmp_path / "r", tmp_path / "s"
    assert outputs(r) == ["a.h5", "net.pt.h5", "net.pth.h5", "net.pth.tar.h5"]
    assert outputs(r / "net.pt") == outputs(r / "net.pth") == ["net.h5"]
    assert outputs(r / "net.pth.tar") == ["net.pth.h5"]
    assert outputs(s / "net", s / "net.ckpt", s / "net.x.pt") == ["net.h5", "net.ckpt.h5", "net.x.h5"]
    assert outputs(r / "net.pt", s / "net.ckpt") == ["net.pt.h5", "net.ckpt.h5"]
    assert outputs(r / "net.pt", r / "net.pt") == ["net.h5"]
    monkeypatch.setattr(sys, "stdin", given(f"{r}/net.pt\n{r}/a.pt\n{r}/net.pth\n{r}/net.pt\n"))
    assert outputs("-") == ["net.h5", "a.h5", "net.pth.h5", "net.h5"]
    items = list(expand([str(r)], CHECKPOINT_SUFFIXES))
    halves = [[Outputs(Path("acts"), ".h5").path(i).name for i in sharded(items, f"{n}/2")] for n in (1, 2)]
    assert sorted(halves[0] + halves[1]) == outputs(r)


def test_what_a_folder_holds_beside_is_told(tmp_path):
    tree(tmp_path, "model.safetensors", "optimizer.pt", "scheduler.pt", "training_args.bin", "rng_state_0.pth", "notes")
    for name in ("net.t7", "net.pkl", "net.model", "net"):
        torch.save({"a": torch.ones(1)}, tmp_path / name)
    notes = []
    assert names(tmp_path, notes=notes) == ["model.safetensors"]
    told = "net, net.model, net.pkl, net.t7, optimizer.pt, rng_state_0.pth, scheduler.pt, training_args.bin"
    assert notes == [f"{tmp_path}: passed over {told}; name a file to have it read."]
    assert names(tmp_path / "net", tmp_path / "optimizer.pt") == ["net", "optimizer.pt"]


@pytest.fixture(scope="module")
def runs(checkpoints, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for run, name in (("a", "vgg-fast.pt"), ("b", "vgg-slow.pt")):
        (folder / run / "checkpoints").mkdir(parents=True)
        shutil.copy(checkpoints / name, folder / run / "checkpoints" / "best.ckpt")
    return folder


def test_runs_with_one_file_name_go_through_the_chain(runs, tmp_path):
    done = icc("extract", runs / "a" / "checkpoints", runs / "b" / "checkpoints", "-o", tmp_path / "acts")
    assert done.returncode == 0, done.stderr
    found = sorted(path.relative_to(tmp_path / "acts").as_posix() for path in (tmp_path / "acts").rglob("*.h5"))
    assert found == ["a/checkpoints/best.h5", "b/checkpoints/best.h5"]
    measured = icc("measure", "--k", "5", tmp_path / "acts", "-o", tmp_path / "results")
    assert measured.returncode == 0, measured.stderr
    kept = [json.loads(path.read_text()) for path in sorted((tmp_path / "results").rglob("*.json"))]
    assert [record["checkpoint"] for record in kept] == ["a/checkpoints/best.ckpt", "b/checkpoints/best.ckpt"]
    for prefix in ("", "experiment/"):
        table = "".join(f"{prefix}{run}/checkpoints/best.ckpt,{n},{n / 10}\n" for n, run in enumerate("ab", 1))
        (tmp_path / "runs.csv").write_text(f"checkpoint,width,test_accuracy\n{table}")
        ranked = icc(
            "rank", tmp_path / "results", "--runs", tmp_path / "runs.csv", "--hparams", "width", "--format", "json"
        )
        assert ranked.returncode == 0, ranked.stderr
        assert json.loads(ranked.stdout.splitlines()[0])["models"] == 2


def test_a_cache_or_record_of_another_checkpoint_is_not_overwritten(runs, tmp_path):
    first, second = (runs / run / "checkpoints" / "best.ckpt" for run in "ab")
    target, record = tmp_path / "best.h5", tmp_path / "best.measure.json"
    assert icc("extract", first, "-o", tmp_path).returncode == 0
    assert icc("measure", "--k", "5", target, "-o", tmp_path).returncode == 0
    before = target.read_bytes(), record.read_bytes()
    refused = icc("extract", second, "-o", tmp_path)
    assert refused.returncode == 2 and "best.h5 belongs to another checkpoint" in refused.stderr and not refused.stdout
    (tmp_path / "other").mkdir()
    assert icc("extract", second, "-o", tmp_path / "other" / "best.h5").returncode == 0
    refused = icc("measure", "--k", "5", tmp_path / "other" / "best.h5", "-o", tmp_path)
    assert refused.returncode == 2 and "best.measure.json belongs to another checkpoint" in refused.stderr
    assert (target.read_bytes(), record.read_bytes()) == before
    assert icc("extract", second, "-o", tmp_path, "--force").returncode == 0
    with open_cache(target) as cache:
        kept = cache.metadata["weights_sha256"]
    assert kept != json.loads(record.read_text())["weights_sha256"]


def test_what_a_network_prints_is_no_data(tmp_path):
    (tmp_path / "net.py").write_text(
        "import torch.nn as nn\nprint('imported')\nclass Net(nn.Sequential):\n    def __init__(self):\n"
        "        print('made')\n        super().__init__(nn.Flatten(), nn.Linear(64, 4), nn.ReLU(), nn.Linear(4, 3))\n"
        "    def forward(self, x):\n        print('called', x.shape)\n        return super().forward(x)\n"
    )
    state = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3))
    torch.save(state.state_dict(), tmp_path / "net.pt")
    done = icc("extract", "net.pt", "--model", "net.py:Net", "--data", "digits", "--per-class", "5", cwd=tmp_path)
    assert done.returncode == 0 and done.stdout == "net.h5\n" and "called" in done.stderr and "made" in done.stderr
    shown = icc("inspect", "net.pt", "--model", "net.py:Net", "--image", "1,8,8", cwd=tmp_path)
    assert json.loads(shown.stdout)["neurons"] == 4


@pytest.mark.parametrize("code", [errno.ESTALE, errno.EIO])
@pytest.mark.parametrize("call", ["stat", "scandir"])
def test_a_file_server_that_fails_fixes_no_list(call, code, tmp_path, monkeypatch):
    """A folder of checkpoints would be taken for a checkpoint, or for one that cannot be read, by all later tasks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ICC_INPUT_LIST", "out/list")
    Path("ckpts").mkdir()
    Path("ckpts/a.pt").touch()
    real, fails = getattr(os, call), [True]

    def failing(path, *rest, **named):
        if str(path) == "ckpts" and fails.pop():
            fails.append(False)
            raise OSError(code, os.strerror(code), path)
        return real(path, *rest, **named)

    monkeypatch.setattr(os, call, failing)
    done = CliRunner().invoke(app, ["measure", "ckpts", "--shard", "1/1", "-o", "out"])
    assert done.exit_code == 1 and f"cannot read ckpts: {os.strerror(code)}." in done.stderr
    assert not Path("out/list").exists()
    fails.append(False)
    CliRunner().invoke(app, ["measure", "ckpts", "--shard", "1/1", "-o", "out"])
    assert json.loads(Path("out/list").read_text())["path"] == "ckpts/a.pt"


def test_a_folder_that_is_not_ours_to_read_is_no_folder(monkeypatch):
    def refused(path, *rest, **named):
        raise PermissionError(errno.EACCES, "no", path)

    monkeypatch.setattr(os, "stat", refused)
    assert not is_folder(Path("a")) and not is_file(Path("a")) and not is_folder(Path("a\0b"))
