"""What docs/architecture.md shows of adding something is the whole change: applied to a copy, it works."""

import json
import re
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
DIFFS = re.findall(r"```diff\n(.*?)```", PAGE, re.DOTALL)


def apply(diff, folder):
    """Apply a diff whose hunks are named by what stands above them rather than by numbers of lines."""
    for part in re.split(r"^--- ", diff, flags=re.MULTILINE)[1:]:
        head, *lines = part.splitlines()
        path = folder / lines[0].removeprefix("+++ b/")
        if head == "/dev/null":
            path.write_text("\n".join(line.removeprefix("+") for line in lines[1:]) + "\n")
            continue
        hunk = [line for line in lines[1:] if not line.startswith("@@")]
        before = "\n".join(line[1:] for line in hunk if line[0] == " ")
        after = "\n".join(line[1:] for line in hunk)
        text = path.read_text()
        assert text.count(before) == 1, f"{path} no longer holds what the page shows:\n{before}"
        path.write_text(text.replace(before, after))


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(ROOT / "icc_cli", tmp_path / "icc_cli", ignore=shutil.ignore_patterns("__pycache__"))

    def run(*arguments):
        done = subprocess.run([sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return tmp_path, run


def test_a_measure_is_one_file_and_one_line(copy, caches):
    folder, run = copy
    (diff,) = (one for one in DIFFS if "catalog.py" in one)
    apply(diff, folder)
    said = run("-m", "icc_cli", "measure", "--measures", "c1,firing", str(caches), "-o", "results")
    assert len(said.splitlines()) == 3
    for target, direction in (("test_accuracy", -1), ("generalization_gap", 1)):
        rows = run("-m", "icc_cli", "rank", "results", "--target", target, "--format", "json").splitlines()
        assert {row["measure"]: row["direction"] for row in map(json.loads, rows)}["firing"] == direction
    assert "$f$" in run("-m", "icc_cli", "rank", "results", "--format", "latex")


ROWS = "lr,m,acc\n1,5,0.1\n2,7,0.3\n3,6,0.2\n"


def test_a_score_is_one_file_and_one_line(copy):
    folder, run = copy
    (diff,) = (one for one in DIFFS if "scores/__init__.py" in one)
    apply(diff, folder)
    (folder / "table.csv").write_text(ROWS)
    options = ("--hparams", "lr", "--target", "acc", "--measures", "m", "--no-controls", "--format", "json")
    (line,) = run("-m", "icc_cli", "rank", "table.csv", *options, "--score", "spearman").splitlines()
    assert json.loads(line)["value"] == pytest.approx(1.0)


def test_a_figure_is_one_file_and_one_line(copy):
    folder, run = copy
    (diff,) = (one for one in DIFFS if "figures.py" in one)
    apply(diff, folder)
    (folder / "table.csv").write_text(ROWS)
    options = ("--hparams", "lr", "--target", "acc", "--measures", "m", "--data", "t.csv", "-o", "t.svg")
    run("-m", "icc_cli", "plot", "totals", "table.csv", *options)
    assert (folder / "t.csv").read_text().splitlines()[1:] == [",acc,0.1", ",acc,0.3", ",acc,0.2"]
    assert "<svg" in (folder / "t.svg").read_text()
    assert "totals" in run("-m", "icc_cli", "plot", "--help")


def test_a_data_reader_is_one_file_and_one_line(copy):
    folder, run = copy
    (diff,) = (one for one in DIFFS if "data/source.py" in one)
    apply(diff, folder)
    (folder / "samples.txt").write_text("0.5 1.5 0\n2.5 3.5 1\n")
    code = "from icc_cli.data import DataSource, load; d = load(DataSource('text:samples.txt')); print(d.train.labels)"
    assert run("-c", code).strip() == "[0 1]"
