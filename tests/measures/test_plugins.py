"""A stranger's measure, from the ten lines of docs/measures.md to rankings and figures that do without its file."""

import json
import re

import h5py
import numpy as np
import pytest

from tests.conftest import ROOT, icc

MINE = re.search(r"```python\n(# mine\.py\n.*?)```", (ROOT / "docs" / "measures.md").read_text("utf-8"), re.DOTALL)[1]


@pytest.fixture(scope="module")
def measured(caches, tmp_path_factory):
    """A folder with mine.py and the records of c1 and of its measure."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "mine.py").write_text(MINE)
    assert len([line for line in MINE.splitlines() if line.strip()]) <= 10
    done = icc("measure", "--measure", "c1", "--measure", "mine.py:FIRING", "--k", 6, "--all-k", "--per-site", caches,
               "-o", "results", cwd=folder)  # fmt: skip
    assert done.returncode == 0, done.stderr
    (folder / "mine.py").rename(folder / "not-there-any-more.py")
    return folder


def by_hand(path, k):
    """The measure from the arrays of a cache, without icc."""
    with h5py.File(path) as file:
        labels = file["labels/class"][:]
        sites = [group["preactivations"][:] for _, group in sorted(file["sites"].items())]
    shares = np.concatenate([[(s[labels == c] > 0).mean(0) for c in np.unique(labels)] for s in sites], axis=1)
    return np.sort(shares, axis=1)[:, ::-1][:, :k].mean()


def test_records_hold_what_was_asked_for_and_how_to_rank_it(measured, caches):
    paths = sorted((measured / "results").glob("*.json"))
    assert len(paths) == 3
    for path in paths:
        record = json.loads(path.read_text())
        assert list(record["measures"]) == ["c1", "firing"]
        cache = caches / path.name.replace(".measure.json", ".h5")
        assert record["measures"]["firing"] == pytest.approx(by_hand(cache, 6), rel=1e-12)
        assert record["all_k"]["firing"][2] == pytest.approx(by_hand(cache, 3), rel=1e-12)
        assert record["about"] == {"firing": {"with_accuracy": -1, "symbol": "$f$", "settings": {"k": 6}}}
        assert all(set(site) == {"name", "neurons", "dead", "c1", "firing"} for site in record["sites"])
        assert record["generated-by"].startswith("icc ")


@pytest.mark.parametrize(("target", "sign"), [("test_accuracy", -1), ("generalization_gap", 1)])
def test_it_is_ranked_with_its_direction(measured, target, sign):
    done = icc("rank", "results", "--target", target, "--format", "json", cwd=measured)
    rows = {row["measure"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert rows["firing"]["direction"] == sign and rows["c1"]["direction"] == -sign


def test_it_is_printed_and_drawn_without_its_file(measured):
    latex = icc("rank", "results", "--format", "latex", cwd=measured)
    assert "$f$" in latex.stdout and "$c_1$" in latex.stdout
    for figure in ("scatter", "sites", "k"):
        done = icc("plot", figure, "results", "-o", f"{figure}.svg", "--data", f"{figure}.csv", cwd=measured)
        assert done.returncode == 0, done.stderr
        assert "firing" in (measured / f"{figure}.csv").read_text()
    done = icc("report", "results", "-o", "report.html", cwd=measured)
    assert done.returncode == 0, done.stderr
    assert "firing" in (measured / "report.html").read_text()


def test_a_changed_file_is_computed_again_and_an_unchanged_one_is_not(caches, tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    command = ("measure", "--measure", "mine.py:FIRING", caches / "wrn.h5", "-o", "out")
    first = icc(*command, cwd=tmp_path)
    before = (tmp_path / "out" / "wrn.measure.json").read_text()
    assert "wrn.measure.json is up to date" in icc(*command, cwd=tmp_path).stderr
    (tmp_path / "mine.py").write_text(MINE.replace("> 0", "> 100"))
    icc(*command, cwd=tmp_path)
    after = (tmp_path / "out" / "wrn.measure.json").read_text()
    assert first.returncode == 0
    assert json.loads(before)["measures"] != json.loads(after)["measures"]
    assert json.loads(before)["content_key"] != json.loads(after)["content_key"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("c9", "unknown measure 'c9'"),
        ("inv_sigma", "icc sharpness"),
        ("mine.py:scores", "expected an icc_cli.Measure"),
        ("mine.py:NOTHING", "has no 'NOTHING'"),
        ("elsewhere.py:X", "elsewhere.py"),
    ],
)
def test_names_that_are_no_measure(caches, tmp_path, text, said):
    (tmp_path / "mine.py").write_text(MINE)
    done = icc("measure", "--measure", text, caches / "wrn.h5", cwd=tmp_path)
    assert done.returncode == 2 and said in done.stderr, done.stderr


def test_an_installed_package_offers_a_measure(caches, tmp_path):
    (tmp_path / "theirs.py").write_text(MINE.replace("firing", "theirs"))
    info = tmp_path / "theirs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[icc.measures]\ntheirs = theirs:FIRING\n")
    done = icc("measure", "--measure", "theirs", "--jobs", 2, caches, cwd=tmp_path, path=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [list(json.loads(line)["measures"]) for line in done.stdout.splitlines()] == [["theirs"]] * 3
