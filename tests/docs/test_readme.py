"""Every block of the README, run as it stands: bash, Python, commands shown with their output, and make."""

import os
import re
import shutil
import subprocess
import sys
import tomllib

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader, TensorDataset

from tests.conftest import ROOT
from tests.docs.test_docs import BLOCK, tools_in

README = (ROOT / "README.md").read_text("utf-8")
INDENTED = re.findall(r"(?<=\n\n)((?:    .*\n|\n(?=    ))+)", README)


def test_four_resnets_go_from_folder_to_list_and_report(tmp_path):
    for name in ("nets.py", "four_resnets.py"):
        shutil.copy(ROOT / "examples" / name, tmp_path)
    environment = tools_in(tmp_path)
    environment["COLUMNS"] = "100"
    trained = subprocess.run([sys.executable, "four_resnets.py", "ckpts"], cwd=tmp_path, env=environment)
    assert trained.returncode == 0
    (block,) = BLOCK.findall(README)
    commands = block.splitlines()
    assert len(commands) == 4
    said = []
    for command in commands:
        done = subprocess.run(
            ["bash", "-ec", command], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200
        )
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert said[3] == "report.html\n" and (tmp_path / "report.html").exists()
    (shown,) = (part for part in INDENTED if "Models by predicted" in part)
    documented, printed = ([line.strip() for line in text.splitlines() if line.strip()] for text in (shown, said[2]))
    assert len(documented) == len(printed)
    numbers = re.compile(r"-?\d*\.\d+|\b\d+\b")
    for ours, theirs in zip(documented[:7], printed[:7], strict=True):
        assert numbers.sub("", ours).split() == numbers.sub("", theirs).split()
    assert {line.split()[0] for line in documented[7:]} == {line.split()[0] for line in printed[7:]}
    assert all(len(line.split()) == len(documented[7].split()) for line in printed[7:])


def test_the_picture_is_of_the_command_below_it(tmp_path):
    (command,) = (part.strip() for part in INDENTED if "icc plot" in part)
    environment = tools_in(tmp_path)
    command = command.replace("scatter.png", str(tmp_path / "scatter.png")) + f" --data {tmp_path / 'points.csv'}"
    done = subprocess.run(["bash", "-ec", command], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    from matplotlib.image import imread

    ours, theirs = imread(tmp_path / "scatter.png"), imread(ROOT / re.search(r"!\[.*\]\((.*)\)", README).group(1))
    assert ours.shape == theirs.shape and np.abs(ours - theirs).mean() < 0.01


def test_the_python_block_runs():
    torch.manual_seed(0)
    x, y = torch.randn(24, 5), torch.arange(24) % 2
    rows = [{"lr": lr, "width": w, "c1": lr * w, "mine": -lr, "test_accuracy": lr + w} for lr in (1, 2) for w in (3, 4)]
    world = {
        "model": torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2)),
        "loader": DataLoader(TensorDataset(x, y, torch.arange(24) % 6), 8),
        "dataframe": pd.DataFrame(rows),
    }
    (block,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    exec(compile(block, "README.md", "exec"), world)
    assert world["result"]["c1"] > 0 and world["ranking"]["c1"]["Psi"] == 1.0


def test_what_is_installed_and_made_is_there():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for extra in re.findall(r"pip install '?\.\[(\w+)\]", README):
        assert extra in project["optional-dependencies"]
    made = re.findall(r"^    make (\w+)", README, re.MULTILINE)
    assert set(made) == {"lite", "demo", "test"}
    for target in made:
        done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, env={**os.environ})
        assert done.returncode == 0 and done.stdout, done.stderr


def test_the_table_of_the_demo_is_that_of_its_page():
    """Psi, interval, p and tau of every measure but sharpness; the page has directions, models and Holm's p too."""
    page = (ROOT / "docs" / "demo.md").read_text("utf-8")
    line = re.compile(r"^    (\w+) +[+-]1\*? +\d+ +(\S+) +(\[\S+ \S+\]) +(\S+) +\S+ +(\S+)$", re.MULTILINE)
    printed = {name: numbers for name, *numbers in line.findall(page) if not name.startswith("inv_")}
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", README, re.MULTILINE)
    assert {name: numbers.split(" | ") for name, numbers in rows} == printed
    assert list(printed)[:8] == ["c1", "c2", "c3", "c4", "cdnv", "class_separation", "bimodality", "margin"]
    assert {"parameters", "random", "train_loss"} < set(printed)
    (command,) = (part for part in INDENTED if "icc rank" in part)
    assert command in page


def test_every_block_is_one_of_these():
    known = re.compile(r"    (icc plot|icc rank demo/|pip install|make |Models by predicted)")
    kinds = [part for part in INDENTED if not known.match(part)]
    assert kinds == [] and README.count("```") == 4
