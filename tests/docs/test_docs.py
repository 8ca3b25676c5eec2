"""The commands of the documentation, run as they stand."""

import json
import os
import re
import subprocess
import sys

import h5py
import numpy as np
import pytest

from icc_cli import records
from icc_cli.extraction.functions import NAMES
from tests import warm
from tests.conftest import ROOT, icc, warm_server

BLOCK = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)


def tools_in(folder):
    """An environment whose `icc` and `python` are these; they lie in `folder`."""
    tools = folder / "bin"
    tools.mkdir()
    program = f'"{sys.executable}" -S "{warm.__file__}" "{warm_server().address}"'
    for tool, command in (("icc", program), ("python", f'"{sys.executable}"')):
        (tools / tool).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (tools / tool).chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def run_page(name, folder):
    """Run the `bash` blocks of docs/`name` one after another in `folder`; gives stdout and stderr of each."""
    environment = tools_in(folder)
    said = []
    for block in BLOCK.findall((ROOT / "docs" / name).read_text("utf-8")):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block], cwd=folder, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        said.append((done.stdout, done.stderr))
    return said


ZOO = {
    "vit": [("tokens", 96)] * 2, "bert": [("tokens", 48)] * 2, "StateSpace": [("map", 24), ("tokens", 24)],
    "cnn1d": [("map", 16), ("map", 32)], "mlp": [("dense", 48), ("dense", 24)], "Lstm": [("dense", 24)],
}  # fmt: skip


@pytest.mark.long
@pytest.mark.timeout(900)
def test_checkpoints_page(tmp_path):
    said = run_page("checkpoints.md", tmp_path)
    with h5py.File(tmp_path / "resnet20.h5") as cache, h5py.File(tmp_path / "some.h5") as some:
        names = [group.attrs["name"] for _, group in sorted(cache["sites"].items())]
        assert len(names) == 19, "a stem, and two ReLUs in each of nine blocks"
        assert sum(group["preactivations"].shape[1] for group in cache["sites"].values()) == 16 + 96 + 192 + 384
        chosen = [group.attrs["name"] for _, group in sorted(some["sites"].items())]
        assert chosen == [name for name in names if name.startswith("blocks.") and not name.startswith("blocks.0.")]
    (record,) = (
        records.as_json(records.parse(line, "stdout")) for line in said[2][0].splitlines() if '"icc-measure"' in line
    )
    assert record["hparams"] == {"lr": 0.05, "batch_size": 40, "arch": "resnet20"}
    assert record["epoch"] == 15
    assert record["model"]["args"] == {"num_classes": 3}
    assert all(np.isfinite(record["measures"][name]) for name in ("c1", "c2", "c3", "c4"))
    assert "accuracy" not in said[2][1], "extract finds the accuracy that the loop recorded"
    assert "another normalisation" in said[3][1] or "near chance" in said[3][1]
    assert "batch_norm in blocks.0.bn2" in said[5][0], "inspect says where the neurons are and why"
    assert {path.name for path in (tmp_path / "results").iterdir()} == {f"{name}.measure.json" for name in ZOO}
    for name, neurons in ZOO.items():
        with h5py.File(tmp_path / "acts" / f"{name}.h5") as cache:
            sites = [(group.attrs["kind"], group["preactivations"].shape[1]) for group in cache["sites"].values()]
            assert sites == neurons
            assert json.loads(cache.attrs["metadata"])["measured"]["train_accuracy"] > 0.5, "it has learned"
    assert "c1" in said[7][0]


def test_data_page(tmp_path):
    said = run_page("data.md", tmp_path)
    (record,) = (
        records.as_json(records.parse(line, "stdout")) for line in said[-1][0].splitlines() if '"icc-measure"' in line
    )
    assert record["data"]["hierarchy"]["9"] == "round"
    assert record["measures"]["c1"] is not None


@pytest.mark.parametrize("name", NAMES)
def test_every_activation_is_in_the_docs(name):
    assert re.search(rf"\b{name}\b", (ROOT / "docs" / "checkpoints.md").read_text("utf-8"))


def test_figures_page(tmp_path):
    run_page("figures.md", tmp_path)
    for name in ("training.pdf", "neurons.pdf"):
        assert (tmp_path / name).read_bytes().startswith(b"%PDF-")
    assert len((tmp_path / "training.csv").read_text("utf-8").splitlines()) == 1 + 4 * 5 * 6, "runs, epochs, quantities"


@pytest.mark.parametrize(
    "page", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/*.md")) + sorted(ROOT.glob("studies/*/*.md"))
)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        assert "://" in target or (page.parent / target).exists(), target


def test_the_table_of_the_ranking_page_is_what_icc_prints(monkeypatch):
    """The first blocks of the table, of the study's committed records, at 100 columns."""
    monkeypatch.setenv("COLUMNS", "100")
    records = ROOT / "studies" / "cifar100-superclasses" / "records"
    done = icc(
        "rank",
        records / "measures.jsonl",
        records / "sharpness.jsonl",
        "--min-train-accuracy",
        0.99,
        "--format",
        "table",
    )
    shown = "\n\n".join(done.stdout.split("\n\n")[:3])
    indented = "\n".join(f"    {line}".rstrip() for line in shown.splitlines())
    assert indented in (ROOT / "docs" / "ranking.md").read_text("utf-8")
